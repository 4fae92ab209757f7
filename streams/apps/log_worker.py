"""What the Faust workers share: agents fill an inbox, and one thread does the work."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from feature_store.clock import Clock
from feature_store.settings import Settings
from streams.apps.inbox import Inbox
from streams.apps.runtime import build_app, or_die, raw_topic

_MB = 1024 * 1024
_log = structlog.get_logger()

Forever = Callable[[], Coroutine[object, object, None]]
"""A loop that runs beside the app."""


class Message(NamedTuple):
    """A message with its Kafka timestamp; without a value its payload is empty."""

    offset: int
    stamp_ms: int
    payload: bytes


class Reader(Protocol):
    """What a worker makes of its logs. All but :meth:`positions` is called in one thread."""

    def own(self, assigned: frozenset[TP]) -> None:
        """Take over these partitions, which are all that it has now.

        Raises
        ------
        Exception
            It cannot; the process ends.
        """

    def positions(self) -> Mapping[TP, int] | None:
        """Where each partition is; None before the first assignment."""

    def take(self, pending: Mapping[TP, Sequence[Message]]) -> None:
        """Take in what has arrived, each partition in order; it may be of partitions that it owns no more."""

    def let_go(self) -> None:
        """Own nothing: somebody else may be assigned the partitions."""


class LogWorker:
    """Reads some topics to a `Reader`, in a thread, so that the event loop goes on receiving meanwhile.

    Parameters
    ----------
    name : the kind of worker
    topics : what it reads
    pending_mb : agents wait while more than this is pending, MiB
    """

    def __init__(
        self, name: str, settings: Settings, topics: Sequence[str], reader: Reader, pending_mb: int
    ) -> None:
        self._name = name
        self._reader = reader
        self._inbox: Inbox[Message] = Inbox(pending_mb * _MB)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.app = build_app(name, settings, topics, self._start_offsets)
        self.app.on_partitions_revoked.connect(self._let_go)
        for topic in topics:
            self._receive(topic)

    async def take_forever(self) -> None:
        """Take in all that is pending, again and again: at load many messages are taken together."""
        while True:
            await self._in_thread(self._reader.take, await self._inbox.take())

    def every(self, seconds: float, work: Callable[[], None]) -> Forever:
        """A loop that works in the thread every now and then."""

        async def forever() -> None:
            while True:
                await asyncio.sleep(seconds)
                await self._in_thread(work)

        return forever

    def every_with_ends(
        self, seconds: float, clock: Clock, work: Callable[[Mapping[TP, int], int], None]
    ) -> Forever:
        """The same, told where each log ended, and when, ms: what was read to its end holds nothing back."""

        async def forever() -> None:
            while True:
                began_ms = clock.now_ms()
                with contextlib.suppress(KafkaError):
                    positions = self._reader.positions()
                    ends = await self.app.consumer.highwaters(*positions) if positions else {}
                    await self._in_thread(work, ends, began_ms)
                await asyncio.sleep(seconds)

        return forever

    async def drain(self) -> None:
        """Finish what is under way; what is pending stays in Kafka."""
        self._inbox.clear()
        await self._in_thread(lambda: None)

    def _receive(self, topic: str) -> None:
        @self.app.agent(raw_topic(self.app, topic), name=f"{self._name} {topic}", concurrency=1)
        async def agent(stream: faust.StreamT[bytes]) -> None:
            await or_die(f"receiving {topic}", self._put_all(stream))

    async def _put_all(self, stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            message = event.message
            payload = message.value or b""
            stamped = Message(message.offset, round(message.timestamp * 1000), payload)
            await self._inbox.put(message.tp, stamped, len(payload))

    async def _let_go(self, *_: object, **__: object) -> None:
        """Be done with writing before somebody else may own the partitions."""
        self._inbox.clear()
        await self._in_thread(self._reader.let_go)

    async def _start_offsets(self, assigned: frozenset[TP]) -> Mapping[TP, int]:
        positions: Mapping[TP, int] = await or_die("taking over partitions", self._take_over(assigned))
        return positions

    async def _take_over(self, assigned: frozenset[TP]) -> Mapping[TP, int]:
        self._inbox.clear()
        await self._in_thread(self._reader.own, assigned)
        positions = self._reader.positions() or {}
        _log.info(
            "partitions taken over",
            positions={f"{tp.topic}[{tp.partition}]": at for tp, at in positions.items()},
        )
        return positions

    async def _in_thread(self, work: Callable[..., None], *args: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
