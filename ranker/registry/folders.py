"""Version folders, `<models>/<name>/<version>/`, and beside them what serves them."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from ranker.registry.durable import sync, write_synced
from ranker.registry.models import Check, ModelId, ModelMetadata, RegistryError

_log = structlog.get_logger()

T = TypeVar("T")

METADATA = "metadata.json"


class ModelFolders:
    """Versions on disk. A version appears whole or not at all, and its files never change.

    Parameters
    ----------
    models : versions that may be served. Beside it lie `retired-models`, those that need no longer be;
        `model-checks`, what the gate found of each; `model-servers`, which is Triton's model repository
    """

    def __init__(self, models: Path) -> None:
        self._models = models
        self._retired = models.parent / "retired-models"
        self._checks = models.parent / "model-checks"
        self._servers = models.parent / "model-servers"

    def add(self, metadata: ModelMetadata, files: Mapping[str, bytes]) -> ModelMetadata:
        """Write the next version of ``metadata.name``; returns the metadata with its number."""
        while True:
            numbered = msgspec.structs.replace(metadata, version=self._next_version(metadata.name))
            target = self._path(numbered.id)
            staged = self._stage({**files, METADATA: _encode(numbered)})
            try:
                staged.rename(target)
            except OSError:
                shutil.rmtree(staged)
                if not target.exists():
                    raise  # a real failure; otherwise somebody else took the number: take the next one
            else:
                sync(target.parent)
                return numbered

    def versions(self, name: str) -> tuple[str, ...]:
        """Versions that may be served, oldest first."""
        return tuple(sorted(_numbers(self._models / name), key=int))

    def names(self) -> tuple[str, ...]:
        """Models with at least one version that may be served."""
        if not self._models.is_dir():
            return ()
        return tuple(sorted(path.name for path in self._models.iterdir() if self.versions(path.name)))

    def retired(self) -> tuple[ModelId, ...]:
        """Every version that was set aside, by name, oldest first."""
        names = sorted(path.name for path in self._retired.iterdir()) if self._retired.is_dir() else []
        return tuple(
            ModelId(name, version)
            for name in names
            for version in sorted(_numbers(self._retired / name), key=int)
        )

    def has(self, model: ModelId) -> bool:
        """Whether there is such a version, also a retired one."""
        return self._path(model).is_dir() or self._retired_path(model).is_dir()

    def path(self, model: ModelId) -> Path:
        """Folder of a version, also of a retired one.

        Raises
        ------
        RegistryError
            There is no such version.
        """
        for path in (self._path(model), self._retired_path(model)):
            if path.is_dir():
                return path
        known = ", ".join(self.versions(model.name)) or "none"
        raise RegistryError(f"model {model} is not in {self._models}; versions there: {known}")

    def metadata(self, model: ModelId) -> ModelMetadata:
        """Metadata of a version, also of a retired one.

        Raises
        ------
        RegistryError
            There is no such version, or its folder is damaged.
        """
        return _decoded(self.path(model) / METADATA, ModelMetadata, model)

    def readable(self, models: Iterable[ModelId]) -> Iterator[ModelMetadata]:
        """Metadata of these versions; what is damaged can serve nobody, and is told and left out."""
        for model in models:
            try:
                yield self.metadata(model)
            except RegistryError as error:
                _log.warning("version_left_out", model=str(model), problem=str(error))

    def write_checks(self, model: ModelId, checks: Sequence[Check]) -> None:
        """Keep what the gate found."""
        path = self._checks_path(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, msgspec.json.format(msgspec.json.encode(checks), indent=2))

    def checks(self, model: ModelId) -> tuple[Check, ...] | None:
        """What the gate found; None of a version that never came to it.

        Raises
        ------
        RegistryError
            The file is damaged.
        """
        path = self._checks_path(model)
        return _decoded(path, tuple[Check, ...], model) if path.is_file() else None

    def retire(self, model: ModelId) -> None:
        """Set a version aside: it is no longer among those to be served, and can be asked still."""
        retired = self._retired_path(model)
        retired.parent.mkdir(parents=True, exist_ok=True)
        self._path(model).rename(retired)

    def restore(self, model: ModelId) -> None:
        """Bring a retired version back; nothing if it is there."""
        if not self._path(model).exists():
            self._retired_path(model).rename(self._path(model))

    def remove(self, model: ModelId) -> None:
        """Remove a retired version and what the gate found of it."""
        shutil.rmtree(self._retired_path(model))
        self._checks_path(model).unlink(missing_ok=True)

    def write_server(self, name: str, files: Mapping[str, bytes]) -> None:
        """Replace those files of the model's server that are other ones: Triton restarts what changed."""
        for file, content in files.items():
            path = self._servers / name / file
            if path.is_file() and path.read_bytes() == content:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, content)

    def _path(self, model: ModelId) -> Path:
        return self._models / model.name / model.version

    def _retired_path(self, model: ModelId) -> Path:
        return self._retired / model.name / model.version

    def _checks_path(self, model: ModelId) -> Path:
        return self._checks / model.name / f"{model.version}.json"

    def _next_version(self, name: str) -> str:
        (self._models / name).mkdir(parents=True, exist_ok=True)
        taken = [*_numbers(self._models / name), *_numbers(self._retired / name)]
        return str(max(map(int, taken), default=0) + 1)

    def _stage(self, files: Mapping[str, bytes]) -> Path:
        staging = self._models.parent / "staged-models"
        staging.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=staging))
        folder.chmod(0o755)
        for name, content in files.items():
            write_synced(folder / name, content)
        sync(folder)
        return folder


def _replace(path: Path, content: bytes) -> None:
    """Whoever reads it sees the old content or the new one."""
    temporary = path.with_suffix(f".{os.getpid()}")
    write_synced(temporary, content)
    temporary.replace(path)


def _decoded(path: Path, kind: type[T], model: ModelId) -> T:
    """The content of one of a version's files."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise RegistryError(f"model {model} is damaged: {path} cannot be read: {error}") from error


def _numbers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []


def _encode(metadata: ModelMetadata) -> bytes:
    return msgspec.json.format(msgspec.json.encode(metadata), indent=2)
