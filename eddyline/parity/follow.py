"""Checks a trickle of what is served, while it is served."""

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from eddyline.parity.check import BatchLog, ParityCheck, RetentionCutError
from eddyline.parity.judge import Verdict
from feature_store.schema.topics import RANK_SERVED

_WAITING_MAX = 1_000
"""Requests that wait for their batches; then all are judged as things are."""

_log = structlog.get_logger()


class ParityMetrics:
    """What the trickle found."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rows = Counter(
            "eddyline_parity_rows",
            "Served rows of features that were folded again: equal, different, or unverified.",
            ["outcome"],
            registry=registry,
        )
        self.blind = Gauge(
            "eddyline_parity_blind",
            "1 where the batch log does not reach back to its beginning, so that nothing can be checked.",
            registry=registry,
        )
        for outcome in ("equal", "different", "unverified"):
            self._rows.labels(outcome)

    def count(self, verdict: Verdict) -> None:
        """Count the rows of one request."""
        self._rows.labels("equal").inc(verdict.equal)
        self._rows.labels("different").inc(verdict.different)
        self._rows.labels("unverified").inc(verdict.unverified)


class Follower:
    """Takes in what was served since the last turn, folds the log, judges.

    The log is folded up to where it ended two turns ago. So a row that is read from now on has its version
    ahead, or is still as that version left it, unless a feature worker is behind by more than a turn.

    Parameters
    ----------
    check : of a sample of the entities
    requests_max : requests taken in at one turn
    """

    def __init__(self, check: ParityCheck, log: BatchLog, metrics: ParityMetrics, requests_max: int) -> None:
        self._check = check
        self._log = log
        self._metrics = metrics
        self._requests_max = requests_max
        self._served = {at: end for at, (_, end) in log.bounds(RANK_SERVED).items()}
        self._ends = [check.ends(log)] * 2

    def turn(self) -> None:
        """Check what is new; raises what the log raises."""
        ends = self._check.ends(self._log)
        self._take_in()
        try:
            self._check.fold(self._log, self._ends[0])
        except RetentionCutError as error:
            self._metrics.blind.set(1)
            _log.error("parity_blind", why=str(error))
        for verdict in self._check.judge(all_of_them=self._check.waiting > _WAITING_MAX):
            self._tell(verdict)
        self._ends = [self._ends[1], ends]

    def _take_in(self) -> None:
        bounds = {at: (self._served[at], end) for at, (_, end) in self._log.bounds(RANK_SERVED).items()}
        left = self._requests_max
        for _, _, payload in self._log.read(RANK_SERVED, bounds):
            for case in self._check.cases(payload)[:left] if left else ():
                self._check.take_in(case)
                left -= 1
        self._served = {at: end for at, (_, end) in bounds.items()}

    def _tell(self, verdict: Verdict) -> None:
        self._metrics.count(verdict)
        for difference in verdict.differences:
            _log.error(
                "parity_broken",
                request_id=difference.request_id,
                item_id=difference.item_id,
                feature=difference.feature,
                served=difference.served,
                refolded=difference.refolded,
                rows=difference.rows,
            )
