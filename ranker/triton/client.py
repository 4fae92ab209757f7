"""Triton over gRPC: one protobuf message each way, tensors as raw bytes, no object per candidate.

The messages are written directly, without `tritonclient`'s input and output objects, which cost more
than the copy of the tensors. Protocol: https://github.com/triton-inference-server/server/blob/main/docs/protocol/README.md
"""

from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from feature_store.settings import Settings
from ranker.triton.base import Float32, InferenceError, InferenceTimeout, Int64, Scores
from ranker.triton.repository import TritonRepository

_DATATYPES = {np.dtype(np.float32): "FP32", np.dtype(np.int64): "INT64"}
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


class TritonClient:
    """An `InferenceClient` over a gRPC channel.

    Parameters
    ----------
    channel : closed with this client
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._stub = GRPCInferenceServiceStub(channel)
        self._repository = TritonRepository(channel)

    def infer(
        self, model: str, version: str, user: Float32, candidates: Float32, ids: Int64, timeout_ms: float
    ) -> Scores:
        """See `InferenceClient.infer`."""
        request = pb.ModelInferRequest(model_name=model, model_version=version)
        for name, tensor in (("user", user), ("candidates", candidates), ("ids", ids)):
            request.inputs.add(name=name, datatype=_DATATYPES[tensor.dtype], shape=tensor.shape)
            request.raw_input_contents.append(tensor.tobytes())
        try:
            return _scores(self._stub.ModelInfer(request, timeout=timeout_ms / 1000))
        except grpc.RpcError as error:
            raise _explained(error, f"{model}/{version}", timeout_ms) from error

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
        self._channel.close()


def _scores(response: Any) -> Scores:
    heads: zip[tuple[Any, bytes]] = zip(response.outputs, response.raw_output_contents, strict=True)
    return {output.name: _vector(content) for output, content in heads}


def _vector(content: bytes) -> NDArray[np.float32]:
    return np.frombuffer(content, dtype=np.float32)


def _explained(error: Any, model: str, timeout_ms: float) -> InferenceError:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return InferenceTimeout(f"model {model} gave no answer within {timeout_ms:g} ms")
    return InferenceError(f"model {model}: {error.details()} ({error.code().name})")


def _credentials(authority: Path | None) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(authority.read_bytes() if authority else None)
