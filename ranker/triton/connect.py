"""The inference client that the settings ask for."""

from feature_store.settings import Settings
from ranker.triton.base import InferenceClient
from ranker.triton.client import open_triton


def open_inference(settings: Settings, fingerprint: str) -> InferenceClient:
    """Triton, or the same module in process where ``settings.inference`` is ``embedded``.

    Parameters
    ----------
    fingerprint : of the feature service in use
    """
    if settings.inference == "triton":
        return open_triton(settings)
    from ranker.triton.embedded import EmbeddedClient  # torch is installed only where models run in process

    return EmbeddedClient(settings.model_repository, fingerprint)
