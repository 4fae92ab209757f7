"""`rank.served`: what was answered and scored, for the exposure join and the trainer."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Protocol

import numpy as np

from feature_store.schema.ids import partition_of
from feature_store.schema.served import NOT_SERVED, ServedRequest, detailed, encode_served
from ranker.pipeline.marks import row_marks
from ranker.side_effects.answer import Answer


class ServedLog(Protocol):
    """Where messages of `rank.served` go."""

    def append(self, partition: int, message: bytes) -> None:
        """Write one message; raises when it cannot."""


class ServedRows:
    """Writes every answer's rows, several answers of one partition in one message.

    Parameters
    ----------
    partitions : of `rank.served`, by user
    """

    name = "served"
    ROWS_AT_ONCE = 4_096

    def __init__(self, log: ServedLog, partitions: int) -> None:
        self._log = log
        self._partitions = partitions

    def apply(self, answers: Sequence[Answer]) -> None:
        """Write the rows of ``answers``."""
        by_partition: dict[int, list[Answer]] = defaultdict(list)
        for answer in answers:
            if len(answer.outcome.batch):
                by_partition[partition_of(answer.query.user_id, self._partitions)].append(answer)
        for partition, part in by_partition.items():
            for some in _cut(part, self.ROWS_AT_ONCE):
                for message in encode_served([served_request(answer) for answer in some]):
                    self._log.append(partition, message)


def _cut(answers: Sequence[Answer], rows: int) -> Iterator[list[Answer]]:
    """The answers in order, in parts of at most ``rows`` candidates, or of one answer."""
    ends = np.cumsum([len(answer.outcome.batch) for answer in answers])
    for _, some in groupby(zip((ends - 1) // rows, answers, strict=True), key=itemgetter(0)):
        yield [answer for _, answer in some]


def served_request(answer: Answer) -> ServedRequest:
    """The scored candidates of one answer as columns."""
    query, outcome = answer.query, answer.outcome
    batch, features, scores, slate = outcome.batch, outcome.features, outcome.scores, outcome.slate
    position = np.full(len(batch), NOT_SERVED, np.int32)
    position[slate.order] = np.arange(len(slate.order), dtype=np.int32)
    propensity = np.zeros(len(batch))
    propensity[slate.order] = slate.propensities
    full = detailed(position, query.sampled)
    user = np.broadcast_to(features.user, (len(full), features.user.shape[1]))
    return ServedRequest(
        request_id=query.request_id,
        user_id=query.user_id,
        surface=query.surface,
        item_ids=batch.item_ids,
        position=position,
        raw_score=scores.raw,
        nudge=scores.nudge,
        published_score=scores.published,
        heads=scores.heads,
        propensity=propensity,
        policy=outcome.policy,
        model_version=f"{scores.model}:{scores.version}" if scores.model else "",
        fingerprint=answer.fingerprint,
        served_time_ms=answer.served_time_ms,
        finalize_time_ms=query.finalize_time_ms,
        sampled=query.sampled,
        features=np.concatenate((user, features.candidates[full]), axis=1),
        ids=features.ids[full],
        assignments=outcome.assignments,
        row_marks=row_marks(features.rows_read, full),
        user_slice=features.user_slice,
    )
