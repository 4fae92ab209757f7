"""A client of Triton: tensors over HTTP, which is quicker, everything else over gRPC."""

from pathlib import Path

import grpc

from feature_store.settings import Settings
from ranker.triton.base import Float32, InferenceError, Int64, Scores
from ranker.triton.repository import TritonRepository
from ranker.triton.tensors import TensorCalls, open_tensor_calls

_CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]


def open_channel(settings: Settings) -> grpc.Channel:
    """The gRPC channel to Triton, with TLS where the settings ask for it; reconnects by itself."""
    if not settings.triton_ssl:
        return grpc.insecure_channel(settings.triton_grpc, options=_CHANNEL_OPTIONS)
    return grpc.secure_channel(
        settings.triton_grpc, _credentials(settings.triton_ssl_ca), options=_CHANNEL_OPTIONS
    )


def open_triton(settings: Settings) -> "TritonClient":
    """A client of the server that the settings name; it connects when it is first asked."""
    return TritonClient(open_channel(settings), open_tensor_calls(settings))


class TritonClient:
    """An `InferenceClient` of a Triton server.

    Parameters
    ----------
    channel, tensors : of the same server; closed with this client
    """

    def __init__(self, channel: grpc.Channel, tensors: TensorCalls) -> None:
        self._channel = channel
        self._tensors = tensors
        self._repository = TritonRepository(channel)

    def infer(
        self, model: str, version: str, user: Float32, candidates: Float32, ids: Int64, timeout_ms: float
    ) -> Scores:
        """See `InferenceClient.infer`."""
        return self._tensors.call(
            model, version, {"user": user, "candidates": candidates, "ids": ids}, timeout_ms
        )

    def prepare(self, model: str, version: str) -> None:
        """See `InferenceClient.prepare`."""
        if self.ready(model, version):
            return
        self._repository.reload(model)
        if not self.ready(model, version):
            raise InferenceError(f"model {model}/{version} is not in Triton's repository")

    def release(self, model: str, version: str) -> None:
        """See `InferenceClient.release`."""
        self._repository.reload(model)

    def ready(self, model: str, version: str) -> bool:
        """See `InferenceClient.ready`; an unreachable server is not ready."""
        return self._repository.ready(model, version)

    def close(self) -> None:
        """See `InferenceClient.close`."""
        self._tensors.close()
        self._channel.close()


def _credentials(authority: Path | None) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(authority.read_bytes() if authority else None)
