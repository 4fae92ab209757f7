"""Records in, messages out: ingest without Kafka."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from feature_store.items import ItemTable
from feature_store.outbound import Outbound
from feature_store.schema.batches import SourceRanges
from feature_store.schema.events import Event, Reason, encode_event
from feature_store.schema.topics import ITEMS
from streams.ingest.assembly import Assembly
from streams.ingest.dead_letters import dead_letter
from streams.ingest.duplicates import DuplicateWindow
from streams.ingest.records import Run
from streams.ingest.routes import EntityRoute
from streams.ingest.settings import IngestSettings
from streams.ingest.sieve import Sieve, Sifted, TimeLimits


@dataclass(slots=True)
class Output:
    """What a step makes of its records: each one is accepted, a duplicate or refused.

    ``values_skipped`` counts attribute values of items that cannot be part of an id.
    """

    messages: list[Outbound]
    accepted: Counter[type[Event]] = field(default_factory=Counter)
    refused: Counter[Reason] = field(default_factory=Counter)
    duplicates: int = 0
    values_skipped: int = 0


class Ingestor:
    """The state of the partitions assigned, and what is made of their records.

    Parameters
    ----------
    settings : limits and partition counts
    routes : the entities to make batches for
    table : the items, loaded to the end before the first step
    """

    def __init__(self, settings: IngestSettings, routes: Sequence[EntityRoute], table: ItemTable) -> None:
        self._window = settings.ingest_duplicate_window
        self._limits = TimeLimits(settings.ingest_max_ahead_ms, settings.ingest_max_behind_ms)
        self._table = table
        self._assembly = Assembly(routes, table, settings.batch_partitions)
        self._sieves: dict[int, Sieve] = {}
        self.next_offsets: dict[int, int] = {}

    def assign(self, emit_from: dict[int, int], first: dict[int, int]) -> None:
        """Take over partitions and forget all others.

        Parameters
        ----------
        emit_from : partition -> first offset that nobody emitted yet
        first : partition -> offset from which on it will be read, to know the ids before
        """
        self._sieves = {
            partition: Sieve(
                self._limits, DuplicateWindow(self._window, first[partition]), self._table, offset
            )
            for partition, offset in emit_from.items()
        }
        self.next_offsets = dict(emit_from)

    def ingest(self, runs: Sequence[Run]) -> Output:
        """Make messages of records that follow, in each partition, those of the step before."""
        sifted = self.sift(runs)
        output = self.assemble(sifted)
        output.messages[:0] = forwarded(sifted)
        return output

    def sift(self, runs: Sequence[Run]) -> list[Sifted]:
        """Judge the records, and apply their item events to the table."""
        return [self._sieves[run.partition].sift(run) for run in runs]

    def assemble(self, sifted: Sequence[Sifted]) -> Output:
        """Make batches and dead letters of what was sifted; its item events are forwarded already."""
        output = Output(messages=[])
        for part in sifted:
            _count(output, part)
        ranges = self._advance([part.run for part in sifted])
        if any(len(part.accepted) for part in sifted):
            skipped = self._assembly.items.values_skipped
            output.messages.extend(self._assembly.messages(sifted, ranges))
            output.values_skipped = self._assembly.items.values_skipped - skipped
        return output

    def _advance(self, runs: Sequence[Run]) -> SourceRanges:
        """The offsets that this step covers, without a hole to the step before."""
        ranges: SourceRanges = {}
        for run in runs:
            first, last = self.next_offsets[run.partition], run.offsets[-1]
            if last >= first:
                ranges[run.partition] = (first, last)
                self.next_offsets[run.partition] = last + 1
        return ranges


def forwarded(sifted: Sequence[Sifted]) -> list[Outbound]:
    """The item events, as they go to `items`."""
    return [
        Outbound(ITEMS, encode_event(event), key=event.item_id.encode())
        for part in sifted
        for event in part.items
    ]


def shown_items(sifted: Sequence[Sifted]) -> set[str]:
    """Ids of the items that users saw or acted on, and of those whose events came with them."""
    return {item_id for part in sifted for item_id in part.accepted.item_id if item_id}


def _count(output: Output, part: Sifted) -> None:
    output.accepted.update(part.accepted.types)
    output.duplicates += part.duplicates
    for i, refusal in part.refused:
        output.refused[refusal.reason] += 1
        output.messages.append(dead_letter(part.run, i, refusal))
