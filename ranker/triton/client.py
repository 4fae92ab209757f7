"""A client of Triton: tensors over HTTP, which is quicker, everything else over gRPC."""

import time
from pathlib import Path

import grpc
import numpy as np

from feature_store.settings import Settings
from ranker.triton.base import Float32, InferenceError, Int64, ModelLoading, Scores
from ranker.triton.repository import TritonRepository
from ranker.triton.tensors import TensorCalls, open_tensor_calls

_PROBE_TIMEOUT_MS = 1_000.0
_LOAD_WITHIN_S = 60.0
_LOAD_POLL_S = 0.02

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
        """See `InferenceClient.prepare`: what serves the model is started first, or anew if it is another."""
        self._repository.reload(model)
        deadline = time.monotonic() + _LOAD_WITHIN_S
        while True:
            try:
                return self._probe(model, version)
            except ModelLoading:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOAD_POLL_S)

    def ready(self, model: str, version: str) -> bool:
        """See `InferenceClient.ready`; an unreachable server is not ready."""
        try:
            self._probe(model, version)
        except InferenceError:
            return False
        return True

    def close(self) -> None:
        """See `InferenceClient.close`."""
        self._tensors.close()
        self._channel.close()

    def _probe(self, model: str, version: str) -> None:
        """Ask about one candidate of zeros; the first to ask for a version has it loaded."""
        widths = self._repository.input_widths(model)
        user, candidates = (np.zeros((1, widths[name]), np.float32) for name in ("user", "candidates"))
        self.infer(
            model, version, user, candidates, np.zeros((1, widths["ids"]), np.int64), _PROBE_TIMEOUT_MS
        )


def _credentials(authority: Path | None) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(authority.read_bytes() if authority else None)
