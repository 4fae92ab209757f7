"""The same version folders, run in this process: for machines where Triton cannot run, and for tests."""

from pathlib import Path
from threading import Lock

import torch

from ranker.triton.base import Float32, InferenceError, Int64, Scores
from triton_models.model import Ranker

VERSIONS_KEPT = 3
"""Versions of one model that stay loaded, newest first."""


class EmbeddedClient:
    """An `InferenceClient` that loads version folders itself.

    Parameters
    ----------
    models : folder with `<name>/<version>/`, as Triton reads it
    fingerprint : of the feature service in use; a version made for another one is refused
    """

    def __init__(self, models: Path, fingerprint: str) -> None:
        self._models = models
        self._fingerprint = fingerprint
        self._loaded: dict[tuple[str, str], Ranker] = {}
        self._loading = Lock()

    def infer(
        self, model: str, version: str, user: Float32, candidates: Float32, ids: Int64, timeout_ms: float
    ) -> Scores:
        """See `InferenceClient.infer`; ``timeout_ms`` cannot interrupt a call in process."""
        ranker = self._loaded.get((model, version))
        if ranker is None:
            raise InferenceError(f"model {model}/{version} is not loaded")
        try:
            scores = ranker(torch.from_numpy(user), torch.from_numpy(candidates), torch.from_numpy(ids))
        except RuntimeError as error:
            raise InferenceError(f"model {model}/{version}: {error}") from error
        return dict(zip(ranker.heads, scores.numpy(), strict=True))

    def prepare(self, model: str, version: str) -> None:
        """See `InferenceClient.prepare`."""
        with self._loading:
            if (model, version) in self._loaded:
                return
            try:
                ranker = Ranker(self._models / model / version, self._fingerprint)
            except (OSError, RuntimeError, ValueError, KeyError) as error:
                raise InferenceError(f"model {model}/{version} cannot be loaded: {error}") from error
            self._loaded = self._with(model, version, ranker)

    def release(self, model: str, version: str) -> None:
        """See `InferenceClient.release`."""
        with self._loading:
            self._loaded = {key: value for key, value in self._loaded.items() if key != (model, version)}

    def ready(self, model: str, version: str) -> bool:
        """See `InferenceClient.ready`."""
        return (model, version) in self._loaded

    def close(self) -> None:
        """See `InferenceClient.close`."""
        self._loaded = {}

    def _with(self, model: str, version: str, ranker: Ranker) -> dict[tuple[str, str], Ranker]:
        """The loaded versions and this one, without versions of the same model that are too old."""
        loaded = {**self._loaded, (model, version): ranker}
        same = sorted((key for key in loaded if key[0] == model), key=lambda key: int(key[1]))
        return {key: value for key, value in loaded.items() if key not in same[:-VERSIONS_KEPT]}
