"""Names that move between model versions: `champion`, `challenger`, `canary`, `shadow`, `rollback`."""

from threading import Lock
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
for i = 2, #ARGV, 4 do
  local present = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  if present ~= ARGV[i + 1] then return {ARGV[i], present} end
end
for i = 2, #ARGV, 4 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  redis.call('LPUSH', KEYS[2], ARGV[i + 3])
end
redis.call('LTRIM', KEYS[2], 0, ARGV[1] - 1)
return false
"""
"""First all are compared, then all set. ARGV: history kept, then of each: alias, previous, model, entry."""


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

    def compare_and_set(self, *changes: AliasChange) -> None:
        """Point each ``change.alias`` to ``change.model`` and remember why: all of them in one step, or none.

        Raises
        ------
        AliasConflict
            One does not point to its ``change.previous``; nothing was changed.
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

    def compare_and_set(self, *changes: AliasChange) -> None:
        """See `Aliases.compare_and_set`."""
        arguments: list[str | bytes] = [str(_HISTORY_KEPT)]
        for each in changes:
            arguments += [each.alias, each.previous or "", each.model, msgspec.json.encode(each)]
        try:
            found = cast(list[bytes] | None, self._script(keys=[_ALIASES, _HISTORY], args=arguments))
        except RedisError as error:
            named = ", ".join(each.alias for each in changes)
            raise RegistryUnavailable(f"alias {named} cannot be set: {error}") from error
        if found is not None:
            alias, present = (part.decode() for part in found)
            raise _conflict(next(each for each in changes if each.alias == alias), present)

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
        self._lock = Lock()
        self._models: dict[str, str] = {}
        self._history: list[AliasChange] = []
        self.failure: RegistryUnavailable | None = None

    def get(self, alias: Alias) -> ModelId | None:
        """See `Aliases.get`."""
        self._fail()
        found = self._models.get(alias)
        return ModelId.parse(found) if found else None

    def compare_and_set(self, *changes: AliasChange) -> None:
        """See `Aliases.compare_and_set`."""
        self._fail()
        with self._lock:
            for each in changes:
                if (present := self._models.get(each.alias)) != each.previous:
                    raise _conflict(each, present or "")
            for each in changes:
                self._models[each.alias] = each.model
                self._history.insert(0, each)

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
