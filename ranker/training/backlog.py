"""What the champion has still to learn, kept apart from what it knows."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from feature_store.schema.exposures import LATE, latest_of
from ranker.registry.models import ModelMetadata
from ranker.training.replay import ReplayBuffer
from ranker.training.trainer_metrics import TrainerMetrics

_log = structlog.get_logger()


class Backlog:
    """Rankings that are new, and earlier ones to draw from: of each exposure the latest revision.

    A ranking is new once. A later outcome of one that was taught is learned when that one is drawn again:
    alone it would be a ranking of one clicked item.

    Parameters
    ----------
    kept_requests : most earlier rankings kept
    """

    def __init__(self, kept_requests: int, metrics: TrainerMetrics) -> None:
        self.earlier = ReplayBuffer(kept_requests)
        self._metrics = metrics
        self._new: list[pa.Table] = []
        self._ends: dict[int, int] = {}

    @property
    def new(self) -> pa.Table:
        """Exposures of the rankings that are new; there must be some."""
        return latest_of(self._new)

    @property
    def new_requests(self) -> int:
        """How many rankings are new."""
        return len(pc.unique(_requests(self._new)))

    def follow(self, champion: ModelMetadata, log_ends: Mapping[int, int]) -> None:
        """Take it that ``champion`` knows what was read to make it.

        Parameters
        ----------
        log_ends : partition -> end of the log; if what was read ended later, it was another log
        """
        read = champion.lineage.offsets if champion.lineage else {}
        self._ends = {number: end for number, (_, end) in read.items() if end <= log_ends.get(number, 0)}
        waiting, self._new = self._new, []
        for exposures in waiting:
            self.add(exposures)

    def add(self, exposures: pa.Table) -> None:
        """Sort exposures into what is new and what is not; organic ones are no ranking of ours."""
        ranked = exposures.filter(pc.is_valid(exposures["request_id"]))
        if not len(ranked):
            return
        known, others = _parted(ranked, _before(ranked, self._ends))
        self.earlier.add(known)
        revised, others = _parted(others, self.earlier.holds(others["request_id"]))
        self.earlier.add(revised)
        new, forgotten = _parted(others, self._begun(others))
        if len(new):
            self._new.append(new)
        self._tell(known=len(known), revised=len(revised), forgotten=len(forgotten))

    def settle(self, until_ms: int | None = None) -> None:
        """What was ranked before ``until_ms``, or at any time, is no longer new."""
        new = self.new
        old, left = (new, new.slice(0, 0)) if until_ms is None else cut(new, until_ms)
        self.earlier.add(old)
        self._new = [left]

    def _begun(self, exposures: pa.Table) -> pa.ChunkedArray:
        """Whether a ranking waits or begins here; of others, taught too long ago, only late outcomes come."""
        in_time = exposures.filter(pc.not_equal(exposures["status"].cast(pa.string()), LATE))
        return pc.is_in(exposures["request_id"], pc.unique(_requests([*self._new, in_time])))

    def _tell(self, **passed_over: int) -> None:
        for reason, exposures in passed_over.items():
            self._metrics.not_new.labels(reason).inc(exposures)
        if any(passed_over.values()):
            _log.info("exposures_not_new", **passed_over)


def cut(exposures: pa.Table, time_ms: int) -> tuple[pa.Table, pa.Table]:
    """What was ranked before ``time_ms``, and the rest."""
    return _parted(exposures, pc.less(exposures["finalize_time_ms"], time_ms))


def _before(exposures: pa.Table, ends: dict[int, int]) -> pa.ChunkedArray:
    """Whether each lies before the end of its partition; time would not do, as callers choose it."""
    partitions = pa.array(list(ends), pa.int32())
    place = pc.index_in(exposures["log_partition"], partitions)
    end = pa.chunked_array([pa.array(list(ends.values()), pa.int64())]).take(place)
    return pc.fill_null(pc.less(exposures["log_offset"], end), False)


def _parted(exposures: pa.Table, chosen: pa.ChunkedArray) -> tuple[pa.Table, pa.Table]:
    return exposures.filter(chosen), exposures.filter(pc.invert(chosen))


def _requests(tables: list[pa.Table]) -> pa.ChunkedArray:
    columns = [table["request_id"] for table in tables]
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())
