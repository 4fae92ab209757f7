"""Triton's explicit model control: load versions that appeared, drop versions whose folder went.

A load reads the model's folder anew. Versions that are there already go on answering while a new one
starts, and only then is one whose folder has gone unloaded.
Source: https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_management.md
"""

from typing import Any

import grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from ranker.triton.base import InferenceError

LOAD_TIMEOUT_S = 120.0


class TritonRepository:
    """Asks a Triton server to load and to report models.

    Parameters
    ----------
    channel : stays the caller's to close
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = GRPCInferenceServiceStub(channel)

    def reload(self, model: str) -> None:
        """Make Triton serve exactly the versions in the model's folder; returns when it does.

        Raises
        ------
        InferenceError
            Some version could not be loaded; those that served before still do.
        """
        try:
            self._stub.RepositoryModelLoad(
                pb.RepositoryModelLoadRequest(model_name=model), timeout=LOAD_TIMEOUT_S
            )
        except grpc.RpcError as error:
            raise InferenceError(f"model {model} cannot be loaded: {_details(error)}") from error

    def ready(self, model: str, version: str) -> bool:
        """Whether a version answers; an unreachable server is not ready."""
        try:
            request = pb.ModelReadyRequest(name=model, version=version)
            return bool(self._stub.ModelReady(request, timeout=1.0).ready)
        except grpc.RpcError:
            return False

    def versions(self, model: str) -> tuple[str, ...]:
        """Versions that answer, oldest first."""
        index = self._stub.RepositoryIndex(pb.RepositoryIndexRequest(ready=True), timeout=5.0)
        return tuple(sorted((m.version for m in index.models if m.name == model), key=int))


def _details(error: Any) -> str:
    return str(error.details())
