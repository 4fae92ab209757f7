"""The online store on Redis, one server or a cluster."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import accumulate
from operator import add
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import Any

import hiredis
import msgspec
from redis import Redis
from redis.cluster import RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError
from redis.exceptions import TimeoutError as RedisTimeoutError

from feature_store.online.base import (
    Ask,
    Checkpoint,
    Claim,
    RolledBack,
    RowKey,
    RowsFound,
    RowsOf,
    Run,
    StaleOwner,
    TimeLeft,
    require_time,
    unhurried,
)
from feature_store.online.connection import connect, require_no_eviction
from feature_store.online.keys import checkpoint_key, fence_key, row_prefix
from feature_store.settings import Settings

_FENCE = Path(__file__).with_name("fence.lua").read_text()
_STALE, _ROLLED_BACK = -1, -2
_TIMEOUT_S = 5.0
"""redis-py's own, of a client that was given none."""
_ASIDE = 16
"""Questions to a cluster under way at a time."""
_packed: Any = hiredis.pack_command  # its stub knows of one argument only


class RedisOnlineStore:
    """An :class:`OnlineStore` whose rows, checkpoint and fence of a partition share a hash slot.

    Parameters
    ----------
    client : a connected client, of a server or of a cluster
    """

    def __init__(self, client: Redis | RedisCluster) -> None:
        self._client: Any = client
        self._clustered = isinstance(client, RedisCluster)
        self._timeout_s: float = client.get_connection_kwargs().get("socket_timeout") or _TIMEOUT_S
        self._prefixes: dict[tuple[str, int], str] = {}
        self._idle: list[Any] = []
        self._aside = ThreadPoolExecutor(_ASIDE, "redis")
        self._sha = ""

    @classmethod
    def connect(cls, settings: Settings, timeout_ms: int | None = None) -> "RedisOnlineStore":
        """A store at the place that the settings name; raises :class:`EvictingRedis`."""
        client = connect(settings, timeout_ms)
        require_no_eviction(client)
        return cls(client)

    def multi_get(self, keys: Sequence[RowKey]) -> list[bytes | None]:
        names = [self._prefix(key.view, key.partition) + key.entity_id for key in keys]
        return self._get(names, [key.partition for key in keys])

    def read(self, wanted: Sequence[RowsOf]) -> RowsFound:
        partitions: list[int] = []
        for rows in wanted:
            n = len(rows.entity_ids)
            partitions += [rows.partitions] * n if isinstance(rows.partitions, int) else rows.partitions
        return _by_view(self._get(self._all_names(wanted), partitions), wanted)

    @contextmanager
    def asking(self, left_ms: TimeLeft = unhurried) -> Iterator[Ask]:
        """See `RowReader.asking`."""
        if self._clustered:
            yield lambda wanted: self._ask_aside(wanted, left_ms)
            return
        unanswered: list[Sequence[RowsOf]] = []
        with self._connection(left_ms) as connection:

            def answer() -> RowsFound:
                found = connection.read_response(timeout=self._timeout_of(left_ms))
                return _by_view(found, unanswered.pop(0))

            def ask(wanted: Sequence[RowsOf]) -> Callable[[], RowsFound]:
                names = self._all_names(wanted)
                if not names:
                    return lambda: [[] for _ in wanted]
                connection.send_packed_command([_packed(("MGET", *names))])
                unanswered.append(wanted)
                return answer

            yield ask
            if unanswered:
                connection.disconnect()

    def _ask_aside(self, wanted: Sequence[RowsOf], left_ms: TimeLeft) -> Callable[[], RowsFound]:
        """Ask a cluster on another thread, and leave it there where it takes longer than the caller has.

        Its client asks node after node, and those that failed again, each for as long as a single server has.
        """
        require_time(left_ms)
        asked = self._aside.submit(self.read, wanted)

        def answer() -> RowsFound:
            wait([asked], min(require_time(left_ms) / 1000, TIMEOUT_MAX))
            if not asked.done():
                asked.cancel()
                raise TimeoutError("reading from a cluster took longer than was left")
            return asked.result()

        return answer

    def claim(self, view: str, partition: int) -> Claim:
        epoch = secrets.randbits(53)
        self._client.set(fence_key(view, partition), f"{epoch} 0")
        (checkpoint,) = self.load_checkpoints(view, (partition,))
        return Claim(epoch, checkpoint)

    def put_rows(
        self,
        view: str,
        partition: int,
        epoch: int,
        sequence: int,
        rows: Sequence[tuple[str, bytes]],
        ttl_s: int | None = None,
    ) -> None:
        self._write([self._rows_command(view, partition, epoch, sequence, rows, ttl_s)])

    def put_checkpoint(
        self, view: str, partition: int, epoch: int, sequence: int, checkpoint: Checkpoint
    ) -> None:
        self._write([_checkpoint_command(view, partition, epoch, sequence, checkpoint)])

    def put_runs(self, runs: Sequence[Run]) -> None:
        self._write([command for run in runs for command in self._run_commands(run)])

    def _run_commands(self, run: Run) -> list[list[Any]]:
        place = (run.view, run.partition, run.epoch)
        commands = [
            self._rows_command(*place, sequence, chunk, run.ttl_s)
            for sequence, chunk in enumerate(run.chunks, run.first_sequence)
        ]
        last = run.first_sequence + len(run.chunks)
        return [*commands, _checkpoint_command(*place, last, run.checkpoint)]

    def load_checkpoints(self, view: str, partitions: Sequence[int]) -> list[Checkpoint | None]:
        names = [checkpoint_key(view, partition) for partition in partitions]
        return [
            None if payload is None else msgspec.json.decode(payload, type=Checkpoint)
            for payload in self._get(names, partitions)
        ]

    def _prefix(self, view: str, partition: int) -> str:
        prefix = self._prefixes.get((view, partition))
        if prefix is None:
            prefix = self._prefixes[view, partition] = row_prefix(view, partition)
        return prefix

    def _all_names(self, wanted: Sequence[RowsOf]) -> list[str]:
        return [name for rows in wanted for name in self._names(rows)]

    def _names(self, rows: RowsOf) -> list[str]:
        if isinstance(rows.partitions, int):
            prefix = self._prefix(rows.view, rows.partitions)
            return [prefix + entity_id for entity_id in rows.entity_ids]
        prefixes = {partition: self._prefix(rows.view, partition) for partition in set(rows.partitions)}
        return list(map(add, map(prefixes.__getitem__, rows.partitions), rows.entity_ids))

    def _get(self, names: Sequence[str], partitions: Sequence[int]) -> list[bytes | None]:
        """Values in the order of ``names``: one MGET, on a cluster one per partition in one pipeline."""
        if not names:
            return []
        if not self._clustered:
            return self._mget(names)
        places: dict[int, list[int]] = {}
        for at, partition in enumerate(partitions):
            places.setdefault(partition, []).append(at)
        answers = self._pipelined([("MGET", *(names[at] for at in ats)) for ats in places.values()])
        found: list[bytes | None] = [None] * len(names)
        for ats, values in zip(places.values(), answers, strict=True):
            for at, value in zip(ats, values, strict=True):
                found[at] = value
        return found

    def _mget(self, names: Sequence[str]) -> list[bytes | None]:
        (values,) = self._exchange([("MGET", *names)])
        found: list[bytes | None] = values
        return found

    def _exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The answers to commands, sent in one go over a connection of the pool.

        The client's own way costs as much again as a read of a thousand rows.
        """
        with self._connection() as connection:
            connection.send_packed_command([_packed(tuple(command)) for command in commands])
            return [connection.read_response() for _ in commands]

    @contextmanager
    def _connection(self, left_ms: TimeLeft = unhurried) -> Iterator[Any]:
        """A connection that serves one caller at a time; the client's pool takes as long as a read."""
        require_time(left_ms)  # before one that works is given up for it
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._client.connection_pool.make_connection()
        with _timing_out():
            try:
                _set_timeout(connection, self._timeout_of(left_ms))
                _connect(connection)
                yield connection
            except BaseException:
                connection.disconnect()  # an answer that nobody waits for must not meet the next question
                raise
            finally:
                self._idle.append(connection)

    def _timeout_of(self, left_ms: TimeLeft) -> float:
        """The client's, or what the caller has left if that is less; seconds."""
        return min(self._timeout_s, require_time(left_ms) / 1000)

    def _pipelined(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The answers to commands, each from the node of a cluster that knows."""
        pipeline = self._client.pipeline()
        for command in commands:
            pipeline.execute_command(*command)
        with _timing_out():
            answers: list[Any] = pipeline.execute()
        return answers

    def _rows_command(
        self,
        view: str,
        partition: int,
        epoch: int,
        sequence: int,
        rows: Sequence[tuple[str, bytes]],
        ttl_s: int | None,
    ) -> list[Any]:
        prefix = self._prefix(view, partition)
        pairs = [part for entity_id, row in rows for part in (prefix + entity_id, row)]
        return _fenced(view, partition, epoch, sequence, "" if ttl_s is None else ttl_s, pairs)

    def _write(self, commands: Sequence[list[Any]]) -> None:
        """Run the fenced writes in order, in one round trip; a lost script is loaded again."""
        if not commands:
            return
        try:
            outcomes = self._run(commands)
        except NoScriptError:
            self._sha = ""
            outcomes = self._run(commands)
        _raise_refused(outcomes, commands)

    def _run(self, commands: Sequence[list[Any]]) -> list[int]:
        self._sha = self._sha or self._client.script_load(_FENCE)
        calls = [("EVALSHA", self._sha, *command) for command in commands]
        return self._pipelined(calls) if self._clustered else self._exchange(calls)


def _set_timeout(connection: Any, timeout_s: float) -> None:
    """Of what it does next, be it to connect."""
    connection.socket_timeout = connection.socket_connect_timeout = timeout_s
    connection.update_current_socket_timeout(timeout_s)


def _connect(connection: Any) -> None:
    """Connect, anew where the server has left meanwhile: there is something to read that nobody asked for."""
    connection.connect()
    try:
        left = connection.can_read(0)
    except (RedisConnectionError, OSError):
        left = True
    if left:
        connection.disconnect()
        connection.connect()


@contextmanager
def _timing_out() -> Iterator[None]:
    """redis-py's own error for a timeout is no `TimeoutError`; callers know nothing of Redis."""
    try:
        yield
    except RedisTimeoutError as error:
        raise TimeoutError(str(error)) from error


def _by_view(found: list[bytes | None], wanted: Sequence[RowsOf]) -> RowsFound:
    ends = accumulate(len(rows.entity_ids) for rows in wanted)
    return [found[end - len(rows.entity_ids) : end] for rows, end in zip(wanted, ends, strict=True)]


def _checkpoint_command(
    view: str, partition: int, epoch: int, sequence: int, checkpoint: Checkpoint
) -> list[Any]:
    pair = (checkpoint_key(view, partition), msgspec.json.encode(checkpoint))
    return _fenced(view, partition, epoch, sequence, "", pair)


def _fenced(
    view: str, partition: int, epoch: int, sequence: int, ttl: int | str, pairs: Sequence[str | bytes]
) -> list[Any]:
    return [1, fence_key(view, partition), f"{epoch} {sequence - 1}", f"{epoch} {sequence}", ttl, *pairs]


def _raise_refused(outcomes: Iterable[int], commands: Sequence[list[Any]]) -> None:
    for outcome, command in zip(outcomes, commands, strict=True):
        if outcome == _STALE:
            raise StaleOwner(f"{command[1]}: another epoch owns it")
        if outcome == _ROLLED_BACK:
            raise RolledBack(f"{command[1]}: the store does not have the write before this one")
