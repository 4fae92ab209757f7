"""Names that move between model versions: `champion`, `challenger`, `canary`, `shadow`, `rollback`."""

from typing import Literal, Protocol, cast, get_args

import msgspec
from redis import Redis
from redis.cluster import RedisCluster
from redis.exceptions import RedisError

from ranker.registry.models import AliasConflict, ModelId, RegistryUnavailable

Alias = Literal["champion", "challenger", "canary", "shadow", "rollback"]
ALIASES: tuple[Alias, ...] = get_args(Alias)

_ALIASES = "eddyline:{models}:aliases"
_HISTORY = "eddyline:{models}:history"
_HISTORY_KEPT = 1_000

_COMPARE_AND_SET = """
local present = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if present ~= ARGV[2] then return present end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('LPUSH', KEYS[2], ARGV[4])
redis.call('LTRIM', KEYS[2], 0, ARGV[5] - 1)
return false
"""


class AliasChange(msgspec.Struct, frozen=True):
    """One entry of the history."""

    alias: str
    model: str
    previous: str | None
    reason: str
    time_ms: int


class Aliases(Protocol):
    """Where aliases live. Every process of a deployment sees the same ones."""

    def get(self, alias: Alias) -> ModelId | None:
        """What the alias points to; None while it was never set.

        Raises
        ------
        RegistryUnavailable
            The aliases cannot be reached.
        """

    def compare_and_set(self, change: AliasChange) -> None:
        """Point ``change.alias`` to ``change.model`` and remember why, in one step.

        Raises
        ------
        AliasConflict
            It does not point to ``change.previous``; nothing was changed.
        RegistryUnavailable
            The aliases cannot be reached.
        """

    def history(self) -> list[AliasChange]:
        """Changes, newest first."""


class RedisAliases:
    """`Aliases` in one Redis hash; its keys share a hash slot, so a Redis Cluster serves them too."""

    def __init__(self, redis: Redis | RedisCluster) -> None:
        self._redis = redis
        self._script = redis.register_script(_COMPARE_AND_SET)

    def get(self, alias: Alias) -> ModelId | None:
        """See `Aliases.get`."""
        try:
            found = cast(bytes | None, self._redis.hget(_ALIASES, alias))
        except RedisError as error:
            raise RegistryUnavailable(f"aliases cannot be read: {error}") from error
        return ModelId.parse(found.decode()) if found else None

    def compare_and_set(self, change: AliasChange) -> None:
        """See `Aliases.compare_and_set`."""
        arguments: list[str | bytes] = [
            change.alias,
            change.previous or "",
            change.model,
            msgspec.json.encode(change),
            str(_HISTORY_KEPT),
        ]
        try:
            present = cast(bytes | None, self._script(keys=[_ALIASES, _HISTORY], args=arguments))
        except RedisError as error:
            raise RegistryUnavailable(f"alias {change.alias} cannot be set: {error}") from error
        if present is not None:
            raise _conflict(change, present.decode())

    def history(self) -> list[AliasChange]:
        """See `Aliases.history`."""
        try:
            entries = cast(list[bytes], self._redis.lrange(_HISTORY, 0, -1))
        except RedisError as error:
            raise RegistryUnavailable(f"history cannot be read: {error}") from error
        return [msgspec.json.decode(entry, type=AliasChange) for entry in entries]


class MemoryAliases:
    """`Aliases` of one process, for tests and for a ranker without Redis.

    Attributes
    ----------
    failure : raised by every call while it is set
    """

    def __init__(self) -> None:
        self._models: dict[str, str] = {}
        self._history: list[AliasChange] = []
        self.failure: RegistryUnavailable | None = None

    def get(self, alias: Alias) -> ModelId | None:
        """See `Aliases.get`."""
        self._fail()
        found = self._models.get(alias)
        return ModelId.parse(found) if found else None

    def compare_and_set(self, change: AliasChange) -> None:
        """See `Aliases.compare_and_set`."""
        self._fail()
        present = self._models.get(change.alias)
        if present != change.previous:
            raise _conflict(change, present or "")
        self._models[change.alias] = change.model
        self._history.insert(0, change)

    def history(self) -> list[AliasChange]:
        """See `Aliases.history`."""
        self._fail()
        return list(self._history)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


def _conflict(change: AliasChange, present: str) -> AliasConflict:
    return AliasConflict(
        f"{change.alias} points to {present or 'nothing'}, not to {change.previous or 'nothing'}: "
        "somebody else changed it; look at the history and decide again"
    )
