"""Finds the running stack that a command is to work with."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from eddyline.stack.addresses import Addresses
from eddyline.stack.state import read_state
from feature_store.settings import Settings


class NoStack(RuntimeError):  # noqa: N818  (a state of the world)
    """No stack that is ready runs in the state folder."""


@dataclass(frozen=True)
class RunningStack:
    """Where a stack is.

    Attributes
    ----------
    settings : connections to its Kafka and Redis
    addresses : all that it listens on
    """

    settings: Settings
    addresses: Addresses

    def metrics_of(self, kind: str) -> list[str]:
        """Addresses of the metrics of its workers of one kind, e.g. ``ingest``."""
        return [url for name, url in self.addresses.metrics.items() if name.startswith(f"{kind}-")]


def running_stack(home: Path) -> RunningStack:
    """The stack whose state folder is ``home``.

    Raises
    ------
    NoStack
        When none runs there, or it is not ready.
    """
    state = read_state(home.resolve())
    if state is None or not state.supervised:
        raise NoStack(f"no stack runs in {home.resolve()}; `eddyline up --detach` starts one")
    if not state.ready:
        raise NoStack(f"the stack in {home.resolve()} is not ready; `eddyline status` says why")
    return connect(home, state.addresses)


def connect(home: Path, addresses: Addresses) -> RunningStack:
    """The stack that listens on ``addresses``; what else is set comes from the environment."""
    settings = Settings(
        home=home.resolve(), kafka_bootstrap=addresses.kafka, redis_url=SecretStr(addresses.redis)
    )
    return RunningStack(settings, addresses)
