"""The settings of the stack that runs here, else those of the environment."""

from typing import Any, TypeVar

from pydantic import SecretStr

from eddyline.stack.state import read_state
from feature_store.settings import Settings

S = TypeVar("S", bound=Settings)


def of_the_stack(settings: S) -> S:
    """``settings`` with the addresses of the stack that runs in its state folder, if one does."""
    state = read_state(settings.home.resolve())
    if state is None or not state.supervised:
        return settings
    addresses = state.addresses
    found: dict[str, Any] = {
        "home": settings.home.resolve(),
        "kafka_bootstrap": addresses.kafka,
        "redis_url": SecretStr(addresses.redis),
        "inference": addresses.inference,
    }
    triton = {"triton_grpc": addresses.triton_grpc, "triton_http": addresses.triton_http}
    found |= {name: address for name, address in triton.items() if address is not None}
    return settings.model_copy(update=found)
