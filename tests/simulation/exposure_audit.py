"""What `exposures` must hold of what was displayed, by the two logs that the join reads."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Message

from feature_store.schema.exposures import ORPHAN, decode_exposures
from feature_store.schema.feedback import decode_feedback
from feature_store.schema.served import decode_served
from feature_store.schema.topics import EXPOSURES, FEEDBACK, RANK_SERVED
from feature_store.settings import Settings
from feature_store.topic_log import log_bounds, log_reader, read_log

Key = tuple[str, str]
"""(request, item)"""

_COLUMNS = ["request_id", "item_id", "revision", "served_time_ms", "impression_time_ms", "outcomes", "status"]


class Written(NamedTuple):
    """An exposure at one revision, as far as it is compared."""

    served_time_ms: int | None
    impression_time_ms: int
    clicks: float
    orphan: bool


class ExposureAudit:
    """Compares `exposures` with what was displayed.

    Parameters
    ----------
    clicks : of every (request, item) that was displayed
    close_ms : the window of the join
    """

    def __init__(self, settings: Settings, clicks: Mapping[Key, int], close_ms: int) -> None:
        self._settings = settings
        self._clicks = clicks
        self._close_ms = close_ms
        self._read_to: dict[int, int] = {}
        self._written: defaultdict[Key, defaultdict[int, set[Written]]]
        self._written = defaultdict(lambda: defaultdict(set))

    def missing(self) -> list[Key]:
        """What has not been written yet, with all that was done; reads on in the log."""
        self._read_on()
        return [key for key, clicks in self._clicks.items() if clicks not in self._written.get(key, ())]

    def orphans(self) -> int:
        """Exposures whose answer the ranker never logged, or too late."""
        latest = (revisions[max(revisions)] for revisions in self._written.values())
        return sum(each.orphan for written in latest for each in written)

    def differences(self) -> Iterator[str]:
        """Every exposure that is missing, that nobody displayed, or that is not what the logs give."""
        self._read_on()
        served_ms, seen_ms = self._served(), self._seen()
        for key in self._clicks.keys() | self._written.keys():
            if key not in self._clicks or key not in self._written:
                yield f"exposure {key}: {'missing' if key in self._clicks else 'nobody displayed it'}"
                continue
            logged_ms, time_ms = served_ms.get(key[0], (float("inf"), None))
            in_time = logged_ms <= seen_ms[key] + self._close_ms
            yield from self._differences(key, time_ms if in_time else None)

    def _differences(self, key: Key, served_time_ms: int | None) -> Iterator[str]:
        revisions = self._written[key]
        if max(revisions) != self._clicks[key]:
            yield f"exposure {key}: {self._clicks[key]} clicks, latest revision {max(revisions)}"
        for revision, written in revisions.items():
            (first, *others) = written
            expected = Written(served_time_ms, first.impression_time_ms, revision, served_time_ms is None)
            if others or first != expected:
                yield f"exposure {key}, revision {revision}: {written}, not {expected}"

    def _read_on(self) -> None:
        for message in self._messages(EXPOSURES, self._read_to):
            for row in _displayed(decode_exposures(message.value() or b"").select(_COLUMNS)):
                self._written[row["request_id"], row["item_id"]][row["revision"]].add(_written(row))

    def _served(self) -> dict[str, tuple[int, int]]:
        """Request -> when its first answer came to the log, and when that was served."""
        first: dict[str, tuple[int, int]] = {}
        for message in self._messages(RANK_SERVED):
            rows = decode_served(message.value() or b"").select(["request_id", "served_time_ms"])
            for row in rows.to_pylist():
                first.setdefault(row["request_id"], (message.timestamp()[1], row["served_time_ms"]))
        return first

    def _seen(self) -> dict[Key, int]:
        """When the first impression of each came to the log."""
        first: dict[Key, int] = {}
        for message in self._messages(FEEDBACK):
            rows, _ = decode_feedback(message.value() or b"")
            for row in _displayed(rows.select(["request_id", "item_id", "event"])):
                if row["event"] == "impression":
                    first.setdefault((row["request_id"], row["item_id"]), message.timestamp()[1])
        return first

    def _messages(self, topic: str, read_to: dict[int, int] | None = None) -> Iterator[Message]:
        """A topic from where it was ``read_to``, which is moved on, to its end as it is now."""
        at = {} if read_to is None else read_to
        with closing(log_reader(self._settings, "exposure-audit")) as consumer:
            bounds = log_bounds(consumer, topic)
            yield from read_log(consumer, topic, {n: (at.get(n, 0), end) for n, (_, end) in bounds.items()})
            at.update({n: end for n, (_, end) in bounds.items()})


def _displayed(rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows that name a request: others are organic."""
    return rows.filter(pc.is_valid(rows.column("request_id"))).to_pylist()  # type: ignore[no-any-return]


def _written(row: Mapping[str, Any]) -> Written:
    clicks = dict(row["outcomes"]).get("click", 0.0)
    return Written(row["served_time_ms"], row["impression_time_ms"], clicks, row["status"] == ORPHAN)
