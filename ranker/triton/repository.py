"""Triton's explicit model control: what serves a model, started, or started anew when it is another.

Where the files of a loaded model have changed, the present one goes on answering until the new one does.
Source: https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_management.md
"""

from typing import Any

import grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from ranker.triton.base import InferenceError

LOAD_TIMEOUT_S = 120.0
_ASK_TIMEOUT_S = 1.0


class TritonRepository:
    """Asks a Triton server to load and to describe models.

    Parameters
    ----------
    channel : stays the caller's to close
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = GRPCInferenceServiceStub(channel)

    def reload(self, model: str) -> None:
        """Have Triton serve the model as it lies in its repository; returns when it does, at once if it did.

        Raises
        ------
        InferenceError
            It could not be loaded; what served before still does.
        """
        try:
            self._stub.RepositoryModelLoad(
                pb.RepositoryModelLoadRequest(model_name=model), timeout=LOAD_TIMEOUT_S
            )
        except grpc.RpcError as error:
            raise InferenceError(f"model {model} cannot be loaded: {_details(error)}") from error

    def input_widths(self, model: str) -> dict[str, int]:
        """Input -> its number of columns.

        Raises
        ------
        InferenceError
            The model is not loaded, or the server is out of reach.
        """
        try:
            config = self._stub.ModelConfig(pb.ModelConfigRequest(name=model), timeout=_ASK_TIMEOUT_S).config
        except grpc.RpcError as error:
            raise InferenceError(f"model {model} cannot be described: {_details(error)}") from error
        return {each.name: each.dims[-1] for each in config.input}


def _details(error: Any) -> str:
    return str(error.details())
