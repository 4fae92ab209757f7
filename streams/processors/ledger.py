"""What the owner of one (view, partition) has to know: where it is, and the number of its last write."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_store.online.base import Checkpoint, Claim, Run
from streams.processors.batch_run import BatchRun, Gap, Section
from streams.processors.high_water import HighWater, new_rows
from streams.processors.start import TopicIdentity

Chunk = list[tuple[str, bytes]]
"""At most 256 entity ids and rows."""


@dataclass(frozen=True)
class Step:
    """A write on its way; :meth:`done` once the store has confirmed it."""

    ledger: "Ledger"
    run: Run

    def done(self) -> None:
        """Go on from there."""
        self.ledger.moved(self.run)


class Ledger:
    """The owner of one (view, partition) during one epoch.

    Parameters
    ----------
    claim : the ownership acted under
    start_offset : the batch to fold first (the checkpoint's, or the start of the log)
    ttl_s : seconds until an untouched row expires; None: never
    """

    def __init__(
        self,
        view: str,
        partition: int,
        claim: Claim,
        topic: TopicIdentity,
        start_offset: int,
        ttl_s: int | None = None,
    ) -> None:
        self._view = view
        self._partition = partition
        self._epoch = claim.epoch
        self._sequence = 0
        self._topic = topic
        self._ttl_s = ttl_s
        self._high_water: HighWater = dict(claim.checkpoint.source_high_water) if claim.checkpoint else {}
        self.next_offset = start_offset

    def new_rows(self, run: BatchRun, section: Section) -> tuple[NDArray[np.bool_], HighWater]:
        """As `high_water.new_rows`, from where this owner is.

        Raises
        ------
        Gap
            When the section begins after the batch that comes next.
        """
        if section.first_offset > self.next_offset:
            place = f"{self._topic.name}[{self._partition}]"
            raise Gap(f"{place}: batch {self.next_offset} comes next, {section.first_offset} came")
        return new_rows(run, section, self._high_water)

    def step(self, chunks: Sequence[Chunk], next_offset: int, high_water: HighWater) -> Step:
        """Write ``chunks``, then a checkpoint at ``next_offset``."""
        checkpoint = Checkpoint(next_offset, high_water, self._topic.topic_id, self._topic.partitions)
        first = self._sequence + 1
        run = Run(self._view, self._partition, self._epoch, first, chunks, checkpoint, self._ttl_s)
        return Step(self, run)

    def confirmation(self) -> Step | None:
        """Write the checkpoint again, to see that it is still there; None while there is none."""
        return self.step([], self.next_offset, self._high_water) if self._high_water else None

    def moved(self, run: Run) -> None:
        """The store has ``run``."""
        self._sequence += len(run.chunks) + 1
        self._high_water = run.checkpoint.source_high_water
        self.next_offset = run.checkpoint.next_offset
