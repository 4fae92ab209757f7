"""Switches that operators throw while the system runs: what is off, and why."""

from collections.abc import Mapping
from typing import Protocol

import msgspec
from redis import Redis
from redis.cluster import RedisCluster

from feature_store.online.connection import connect, redis_errors
from feature_store.settings import Settings

_KEY = "eddyline:experiments:off"
_WHAT = "the switches"

TRAINING = "training"
"""Not an experiment: while it is off nothing is learned, and what waits to be released waits on."""


class Switch(msgspec.Struct, frozen=True):
    """Something that is switched off.

    Attributes
    ----------
    reason : in words
    since_time_ms : ms UTC
    """

    reason: str
    since_time_ms: int


class SwitchStore(Protocol):
    """Where switches live."""

    def read(self) -> Mapping[str, Switch]:
        """What is off, by name."""

    def switch_off(self, name: str, switch: Switch) -> None:
        """Switch one off; the last reason stays."""

    def switch_on(self, name: str) -> None:
        """Let one run again."""


class MemorySwitches:
    """A `SwitchStore` in this process."""

    def __init__(self) -> None:
        self._off: dict[str, Switch] = {}

    def read(self) -> Mapping[str, Switch]:
        """See `SwitchStore.read`."""
        return dict(self._off)

    def switch_off(self, name: str, switch: Switch) -> None:
        """See `SwitchStore.switch_off`."""
        self._off[name] = switch

    def switch_on(self, name: str) -> None:
        """See `SwitchStore.switch_on`."""
        self._off.pop(name, None)


class RedisSwitches:
    """A `SwitchStore` in one Redis hash; every method raises ConnectionError when Redis does not answer, or
    with what is no switch."""

    def __init__(self, redis: Redis | RedisCluster) -> None:
        self._redis = redis

    def read(self) -> Mapping[str, Switch]:
        """See `SwitchStore.read`."""
        with redis_errors(_WHAT):
            stored: dict[bytes, bytes] = self._redis.hgetall(_KEY)  # type: ignore[assignment]
        try:
            return {
                name.decode(): msgspec.json.decode(switch, type=Switch) for name, switch in stored.items()
            }
        except msgspec.DecodeError as error:
            raise ConnectionError(f"{_KEY}: one of the switches is none of ours: {error}") from error

    def switch_off(self, name: str, switch: Switch) -> None:
        """See `SwitchStore.switch_off`."""
        with redis_errors(_WHAT):
            self._redis.hset(_KEY, name, msgspec.json.encode(switch))

    def switch_on(self, name: str) -> None:
        """See `SwitchStore.switch_on`."""
        with redis_errors(_WHAT):
            self._redis.hdel(_KEY, name)


def open_switches(settings: Settings, timeout_ms: int | None = None) -> RedisSwitches:
    """The switches of a deployment; with ``timeout_ms`` a question is asked once and fails by then."""
    with redis_errors(_WHAT):
        return RedisSwitches(connect(settings, timeout_ms))
