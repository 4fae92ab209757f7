"""The rows that versions learned from, by the hash of their file: what a rebuild needs."""

import hashlib
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ranker.registry.durable import sync
from ranker.registry.models import RegistryError


class TrainingData:
    """Parquet files named by their SHA-256; the same rows are kept once.

    Parameters
    ----------
    folder : made when first needed
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, table: pa.Table) -> str:
        """Keep the rows; returns the hash of their file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._folder / f".{os.getpid()}"
        pq.write_table(table, temporary, compression="zstd")
        digest = _digest(temporary)
        sync(temporary)
        temporary.replace(self._path(digest))
        sync(self._folder)
        return digest

    def get(self, digest: str) -> pa.Table:
        """The rows.

        Raises
        ------
        RegistryError
            The file is gone, or is not what it was.
        """
        path = self._path(digest)
        if not path.is_file():
            raise RegistryError(f"training data {digest} is not in {self._folder}")
        if _digest(path) != digest:
            raise RegistryError(f"training data {path} has changed: its hash is {_digest(path)}")
        return pq.read_table(path)

    def remove(self, digest: str) -> None:
        """Keep these rows no longer."""
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}.parquet"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
