"""From `rank.served` and the batch log to verdicts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from eddyline.parity.cases import ServedCase, cases_of
from eddyline.parity.judge import Judge, Verdict
from eddyline.parity.refold import Chosen, LogRefold, Place
from eddyline.parity.rehydrator import NO_ROW, Rehydrator, RowsNeeded
from feature_store.catalog import Catalog
from feature_store.schema.served import decode_served
from feature_store.schema.topics import batch_topic
from feature_store.topic_log import Bounds
from feature_store.views import FeatureService, column_ref
from ranker.pipeline.items import ItemColumns


class BatchLog(Protocol):
    """The topics `batches.<entity>`."""

    def bounds(self, topic: str) -> Bounds:
        """Where each partition begins and ends now."""

    def read(self, topic: str, bounds: Bounds) -> Iterator[tuple[int, int, bytes]]:
        """(partition, offset, payload) of each message within ``bounds``, each partition in order."""


class RetentionCutError(RuntimeError):
    """The beginning of a batch log is gone: rows cannot be folded from nothing."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    case: ServedCase
    needed: list[RowsNeeded]


class ParityCheck:
    """Takes in what was served, folds the log, and judges.

    Parameters
    ----------
    chosen : the entities that are folded and judged
    skipped : topic -> (partition, offset) of batches that the feature workers were told to leave out
    """

    def __init__(
        self,
        catalog: Catalog,
        service: FeatureService,
        items: ItemColumns,
        partitions: int,
        chosen: Chosen,
        skipped: Callable[[str], frozenset[tuple[int, int]]],
    ) -> None:
        self._catalog = catalog
        self._service = service
        self._skipped = skipped
        self._rehydrator = Rehydrator(catalog, service, items, partitions)
        recents = (source for _, source in service.recent_places)
        read = {column_ref(reference)[0] for reference in (*service.user, *service.candidate, *recents)}
        views = [view for view in catalog.views if view.name in read]
        self.topics = tuple(dict.fromkeys(batch_topic(view.entity) for view in views))
        by_topic = {
            topic: [view for view in views if batch_topic(view.entity) == topic] for topic in self.topics
        }
        self._refold = LogRefold(by_topic, chosen)
        self._judge = Judge(catalog, service, self._rehydrator, self._refold, chosen)
        self._waiting: list[_Waiting] = []

    @property
    def waiting(self) -> int:
        """Requests taken in and not judged yet."""
        return len(self._waiting)

    def ends(self, log: BatchLog) -> dict[Place, int]:
        """Where the log ends now."""
        return {(topic, at): end for topic in self.topics for at, (_, end) in log.bounds(topic).items()}

    def cases(self, payload: bytes) -> list[ServedCase]:
        """The requests of a message of `rank.served` that can be judged.

        Raises
        ------
        pyarrow.ArrowInvalid, KeyError
            When it is no such message.
        """
        rows: pa.RecordBatch = decode_served(payload)
        return list(cases_of(rows, self._service.fingerprint))

    def take_in(self, case: ServedCase) -> list[tuple[str, list[str]]]:
        """Judge this request once its rows have been folded; the entities that it needs, with their ids."""
        needed = self._rehydrator.needs(case)
        self._refold.want(
            version for rows in needed for version in rows.versions if version.row_offset != NO_ROW
        )
        self._waiting.append(_Waiting(case, needed))
        return [
            (self._catalog.view(rows.view).entity, [version.entity_id for version in rows.versions])
            for rows in needed
        ]

    def fold(self, log: BatchLog, ends: Mapping[Place, int]) -> None:
        """Fold the log up to ``ends``.

        Raises
        ------
        RetentionCutError
            When a partition does not begin at offset 0 and has not been folded up to where it begins.
        """
        for topic in self.topics:
            skipped = self._skipped(topic)
            for partition, offset, payload in log.read(topic, self._bounds(topic, log.bounds(topic), ends)):
                if (partition, offset) in skipped:
                    self._refold.skip((topic, partition), offset)
                else:
                    self._refold.fold((topic, partition), offset, payload)

    def judge(self, *, all_of_them: bool) -> Iterator[Verdict]:
        """Verdicts of the requests whose rows have all been folded, or of all."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if all_of_them or self._is_ready(one.needed):
                yield self._judge.judge(one.case, one.needed)
            else:
                self._waiting.append(one)
        still = {version for one in self._waiting for rows in one.needed for version in rows.versions}
        self._refold.forget([version for version in self._refold.found if version not in still])

    def _bounds(self, topic: str, log: Bounds, ends: Mapping[Place, int]) -> Bounds:
        bounds = {}
        for partition, (first, _) in log.items():
            at = self._refold.next_offset((topic, partition))
            if first > at:
                raise RetentionCutError(
                    f"{topic}[{partition}] begins at offset {first}: what came before is gone, so its rows "
                    "cannot be folded again"
                )
            bounds[partition] = (at, ends[topic, partition])
        return bounds

    def _is_ready(self, needed: Sequence[RowsNeeded]) -> bool:
        return all(self._refold.passed(version) for rows in needed for version in rows.versions)
