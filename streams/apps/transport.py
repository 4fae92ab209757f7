"""A Faust transport whose partitions start where our own checkpoints say, at start and at every rebalance."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, cast

from faust.transport.drivers import aiokafka
from faust.types import TP

StartOffsets = Callable[[frozenset[TP]], Awaitable[Mapping[TP, int]]]
"""Takes over the partitions just assigned (all of them) and says which offset each one goes on from."""


class CheckpointConsumer(aiokafka.Consumer):
    """Seeks to the offsets of a `StartOffsets` where Faust would seek to the committed ones.

    Faust commits past messages whose agent raised, so the group's offsets are never the truth. The
    seek has to be made here: one from inside an agent is undone by the batch in flight.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._to_seek = False
        self._seeking = asyncio.Lock()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Remember that it has not been sought yet; Faust seeks only where there are partitions."""
        self._to_seek = True
        await super().on_partitions_assigned(assigned, generation_id)
        if not assigned:
            await self._own_transport.start_offsets(frozenset())

    async def perform_seek(self) -> None:
        """Once per assignment; Faust also calls it for records fetched while the flow was stopped."""
        async with self._seeking:
            if not self._to_seek:
                return
            await super().perform_seek()
            offsets = await self._own_transport.start_offsets(frozenset(self.assignment()))
            await self.seek_wait(offsets)
            for partition, offset in offsets.items():
                self._read_offset[partition] = offset - 1 if offset else None
            self._to_seek = False

    @property
    def _own_transport(self) -> "CheckpointTransport":
        return cast(CheckpointTransport, self.transport)

    def on_buffer_full(self, tp: TP) -> None:
        """Full queues hold the reader back by themselves; a partition taken out costs a second's sleep."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing was taken out."""


class CheckpointTransport(aiokafka.Transport):
    """Faust's Kafka transport with a `CheckpointConsumer`."""

    Consumer: ClassVar[type[CheckpointConsumer]] = CheckpointConsumer

    def __init__(self, *args: Any, start_offsets: StartOffsets, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.start_offsets = start_offsets
