"""The same version folders, run in this process: for machines where Triton cannot run, and for tests."""

from pathlib import Path
from threading import Lock

import torch

from ranker.triton.base import Float32, InferenceError, Int64, Scores
from triton_models.model import NOT_LOADED, Ranker, Versions, version_folders


class EmbeddedClient:
    """An `InferenceClient` that loads version folders itself.

    Parameters
    ----------
    models : folder with `<name>/<version>/`
    fingerprint : of the feature service in use; a version made for another one is refused
    """

    def __init__(self, models: Path, fingerprint: str) -> None:
        self._models = models
        self._fingerprint = fingerprint
        self._versions: dict[str, Versions] = {}
        self._loading = Lock()

    def infer(
        self, model: str, version: str, user: Float32, candidates: Float32, ids: Int64, timeout_ms: float
    ) -> Scores:
        """See `InferenceClient.infer`; ``timeout_ms`` cannot interrupt a call in process."""
        ranker = self._loaded(model, version)
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
            if self.ready(model, version):
                return
            fresh = Versions(version_folders(self._models, model), self._fingerprint)
            versions = self._versions.setdefault(model, fresh)
            try:
                versions.load(version)
            except NOT_LOADED as error:
                raise InferenceError(f"model {model}/{version} cannot be loaded: {error}") from error

    def ready(self, model: str, version: str) -> bool:
        """See `InferenceClient.ready`."""
        return self._loaded(model, version) is not None

    def close(self) -> None:
        """See `InferenceClient.close`."""
        self._versions = {}

    def _loaded(self, model: str, version: str) -> Ranker | None:
        versions = self._versions.get(model)
        return versions.get(version) if versions else None
