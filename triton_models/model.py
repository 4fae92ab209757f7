"""Serves all versions of a ranker from one process of Triton's Python backend.

A process of its own for each version would import torch for each, which takes seconds of CPU; a module
is loaded in a tenth of a second. So Triton knows one model, whose only version is this file, and a
request says which of ours it wants by its parameter ``version``.

This file is copied into Triton's repository and imports nothing of Eddyline, so that a Triton image
needs only torch. Tensors travel by DLPack in both directions: with numpy 2 the backend's numpy
interface returns empty outputs, and on a GPU DLPack is the path without copies.

Source: https://github.com/triton-inference-server/python_backend
"""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, Thread
from typing import Any, cast

import torch
import torch.utils.dlpack

WARM_UP_CANDIDATES = (1, 24, 100, 500)
WARM_UP_CALLS = 3
VERSIONS_LOADED = 8
"""Most versions of a model in memory, some MB each."""


class FingerprintMismatch(RuntimeError):  # noqa: N818  (a state of the world, named as in the design)
    """A model was made for another feature service than the one that is served."""

    def __init__(self, model: str, made_for: str, served: str) -> None:
        super().__init__(
            f"model {model} was made for feature fingerprint {made_for}, but {served} is served: "
            "train a version for the features in use, or serve the features it was made for"
        )


class Ranker:
    """A version folder, loaded, frozen and warmed up; runs on one thread.

    Parameters
    ----------
    folder : holds `model.pt` and `metadata.json`
    fingerprint : of the feature service in use

    Raises
    ------
    FingerprintMismatch
        The version was made for another feature service.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        metadata = json.loads((folder / "metadata.json").read_bytes())
        if metadata["fingerprint"] != fingerprint:
            name = f"{metadata['name']}/{metadata['version']}"
            raise FingerprintMismatch(name, metadata["fingerprint"], fingerprint)
        torch.set_num_threads(1)
        self.heads: tuple[str, ...] = tuple(metadata["heads"])
        self._module = _load(folder / "model.pt")
        self._warm_up(*(len(metadata[f"{part}_columns"]) for part in ("user", "candidate", "id")))

    def __call__(self, user: torch.Tensor, candidates: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Scores (heads, n) float32 of user (1, u), candidates (n, k) float32 and ids (n, m) int64."""
        with torch.inference_mode():
            return cast(torch.Tensor, self._module(user, candidates, ids)).t().contiguous()

    def _warm_up(self, user: int, candidate: int, ids: int) -> None:
        for n in WARM_UP_CANDIDATES * WARM_UP_CALLS:
            self(torch.zeros(1, user), torch.zeros(n, candidate), torch.zeros(n, ids, dtype=torch.int64))


def _load(path: Path) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch prefers torch.export, which needs its source
        module = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        return torch.jit.optimize_for_inference(torch.jit.freeze(module))


NOT_LOADED = (OSError, RuntimeError, ValueError, KeyError)
"""What loading a version raises."""


class Versions:
    """The versions of one model that are loaded, in the process that runs them.

    Parameters
    ----------
    folders : a version's folder is in the first of these that has it
    fingerprint : of the feature service in use; a version made for another one is refused
    """

    def __init__(self, folders: Sequence[Path], fingerprint: str) -> None:
        self._folders = folders
        self._fingerprint = fingerprint
        self._loaded: dict[str, Ranker] = {}
        self._lock = Lock()

    def get(self, version: str) -> Ranker | None:
        """The version, if it is loaded; asked for last, it will be the last to go."""
        with self._lock:
            ranker = self._loaded.pop(version, None)
            if ranker is not None:
                self._loaded[version] = ranker
            return ranker

    @property
    def newest(self) -> str:
        """The newest version that is loaded; empty if none is."""
        with self._lock:
            return max(self._loaded, key=int, default="")

    def load(self, version: str) -> None:
        """Load a version beside the others; where they are too many, the one not asked for longest goes.

        Raises
        ------
        One of :data:`NOT_LOADED`; the others stay.
        """
        ranker = Ranker(self._folder(version), self._fingerprint)
        with self._lock:
            self._loaded[version] = ranker
            while len(self._loaded) > VERSIONS_LOADED:
                del self._loaded[next(iter(self._loaded))]

    def _folder(self, version: str) -> Path:
        if not version.isdecimal():
            raise ValueError(f"version {version!r} is not a number")
        found = [folder / version for folder in self._folders if (folder / version).is_dir()]
        if not found:
            raise FileNotFoundError(f"no version {version} in {self._folders[0]}")
        return found[0]


def version_folders(models: Path, name: str) -> tuple[Path, ...]:
    """Where the versions of a model lie: those to be served, and those set aside, which can be still."""
    return models / name, models.parent / "retired-models" / name


class TritonPythonModel:
    """The interface that Triton's Python backend calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load what is to be served, so that a process that takes over knows what the one before it knew."""
        import triton_python_backend_utils as pb_utils  # exists only inside Triton

        self._pb_utils = pb_utils
        config = json.loads(args["model_config"])
        folders = version_folders(Path(args["model_repository"]).parents[1] / "models", config["name"])
        self._versions = Versions(folders, config["parameters"]["fingerprint"]["string_value"])
        self._loading: str | None = None
        self._refused: dict[str, str] = {}
        for version in _numbers(folders[0])[-VERSIONS_LOADED:]:
            self._load(version)

    def execute(self, requests: list[Any]) -> list[Any]:
        """One response per request, each with one output per head."""
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:
        version = json.loads(request.parameters() or "{}").get("version", self._versions.newest)
        ranker = self._versions.get(version)
        if ranker is None:
            return self._pb_utils.InferenceResponse(error=self._absent(version))
        scores = ranker(*(self._input(request, name) for name in ("user", "candidates", "ids")))
        tensor = self._pb_utils.Tensor.from_dlpack
        outputs = [tensor(head, scores[row]) for row, head in enumerate(ranker.heads)]
        return self._pb_utils.InferenceResponse(output_tensors=outputs)

    def _absent(self, version: str) -> Any:
        """Why a version does not answer, told once; whoever asks for it next has it loaded again."""
        error = self._pb_utils.TritonError
        if version in self._refused:
            return error(self._refused.pop(version), error.INVALID_ARG)
        if self._loading is None:
            self._loading = version
            Thread(target=self._load, args=(version,), daemon=True).start()
        return error("is being loaded", error.UNAVAILABLE)

    def _load(self, version: str) -> None:
        """On a thread of its own while others answer; one version at a time."""
        try:
            self._versions.load(version)
        except NOT_LOADED as error:
            self._refused[version] = f"cannot be loaded: {error}"
        finally:
            self._loading = None

    def _input(self, request: Any, name: str) -> torch.Tensor:
        tensor = self._pb_utils.get_input_tensor_by_name(request, name)
        return torch.utils.dlpack.from_dlpack(tensor.to_dlpack())


def _numbers(folder: Path) -> list[str]:
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted((name for name in names if name.isdecimal()), key=int)
