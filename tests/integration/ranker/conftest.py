"""A real Triton that serves the built-in models for a small feature service."""

from collections.abc import Iterator
from contextlib import closing

import grpc
import pytest

from feature_store.clock import ManualClock
from feature_store.settings import Settings
from ranker.registry.bootstrap import bootstrap
from ranker.registry.folders import ModelFolders
from ranker.triton.client import TritonClient, open_channel
from ranker.triton.tensors import TensorCalls
from tests.integration.conftest import Triton
from tests.laws.inference_laws import MODELS, SIGNATURE


@pytest.fixture(scope="package")
def folders(triton: Triton) -> ModelFolders:
    folders = ModelFolders(triton.models)
    bootstrap(folders, SIGNATURE, ManualClock())
    return folders


@pytest.fixture(scope="package")
def channel(triton: Triton, folders: ModelFolders) -> Iterator[grpc.Channel]:
    with closing(open_channel(Settings(triton_grpc=triton.grpc))) as channel:
        yield channel


@pytest.fixture(scope="package")
def served(triton: Triton, channel: grpc.Channel) -> TritonClient:
    client = TritonClient(channel, TensorCalls(triton.http.removeprefix("http://")))
    for model in MODELS:
        client.prepare(model, "1")
    return client
