"""D0 in production: who reads what models decide, and is not declared, becomes a finding."""

from collections.abc import Callable, Iterator, Mapping

import msgspec
import structlog
from confluent_kafka import KafkaException

from feature_store.clock import Clock
from feature_store.lineage import Lineage, LineageError
from feature_store.schema.findings import Finding, FindingState, Record
from feature_store.schema.topics import FINDINGS_AGAIN_MS
from streams.feedback.base import LINEAGE, Verdict
from streams.feedback.lineage import Groups
from streams.feedback.lineage_verdicts import CONSUMER_GROUPS, blind, fused, hidden, suspects
from streams.feedback.production.finding_metrics import FindingMetrics
from streams.feedback.production.verdicts import finding_of

RUNBOOK = "docs/runbooks/undeclared-consumer.md"
_NO_EXPERIMENT = ""
_HIDDEN = (
    "the broker shows none of the declared consumer groups: do they run, and may this client DESCRIBE the "
    "cluster, groups and topics?"
)
_MILDER = ("loop_detected", "warning")

_log = structlog.get_logger()


class LineageWatch:
    """Looks at the broker's consumer groups, and says what is new.

    It keeps nothing: a finding is written where the log of findings has no open one of its subject, so that
    one that was written just before a kill is not written twice. What was found stays open until somebody
    closes it; closed while it is still so, it is found anew.

    Parameters
    ----------
    declared : asked at every look, as files change
    groups : of the broker
    known, write : the log of findings; ``write`` returns once a record is kept
    """

    def __init__(
        self,
        declared: Callable[[], Lineage],
        groups: Callable[[], Groups],
        known: Callable[[], Mapping[str, FindingState]],
        write: Callable[[Record], None],
        metrics: FindingMetrics,
        clock: Clock,
    ) -> None:
        self._declared = declared
        self._groups = groups
        self._known = known
        self._write = write
        self._metrics = metrics
        self._clock = clock

    def look(self) -> None:
        """Look once; where that is not possible, say why, until it is."""
        now_ms = self._clock.now_ms()
        try:
            declared, groups = self._declared(), self._groups()
            if hidden(declared, groups):
                raise LineageError(_HIDDEN)
            found = suspects(declared, groups, now_ms)
            known = self._known()
            records = list(news(found, known, now_ms))
            for record in records:
                _log.warning("lineage_finding", finding=record.finding_id, subject=record.subject)
                self._write(record)
            if records:
                known = self._known()
            self._metrics.opened(state for state in known.values() if state.open)
            verdict = fused(found, now_ms)
        except (KafkaException, LineageError, OSError) as error:
            verdict = blind(str(error), now_ms)
            _log.warning("lineage_blind", error=str(error))
        self._metrics.judged(LINEAGE, CONSUMER_GROUPS, verdict, _NO_EXPERIMENT)


def news(found: Mapping[str, Verdict], known: Mapping[str, FindingState], now_ms: int) -> Iterator[Record]:
    """What has to be written: new findings, those that became more, and each day what is open."""
    mine = {
        state.finding.subject: state
        for state in known.values()
        if state.open and state.finding.detector == LINEAGE
    }
    changed = {subject: verdict for subject, verdict in found.items() if _is_news(mine.get(subject), verdict)}
    for subject, verdict in changed.items():
        yield _finding(verdict, subject, now_ms, mine.get(subject))
    for subject, state in mine.items():
        if subject not in changed and now_ms - state.finding.updated_time_ms >= FINDINGS_AGAIN_MS:
            yield from state.again(now_ms)


def _is_news(known: FindingState | None, verdict: Verdict) -> bool:
    """A loop that seems to be less goes on as it was: only people say that it is over."""
    if known is None:
        return True
    if (known.finding.verdict, verdict.kind) == _MILDER:
        return False
    return (known.finding.verdict, known.finding.evidence) != (verdict.kind, dict(verdict.evidence))


def _finding(verdict: Verdict, subject: str, now_ms: int, state: FindingState | None) -> Finding:
    """A new one; another verdict on a subject goes on under its id."""
    found = finding_of(verdict, subject, now_ms, now_ms)
    if found is None:
        raise ValueError(f"{subject}: {verdict.kind} is no finding")
    if state is not None:
        found = msgspec.structs.replace(
            found,
            finding_id=state.finding.finding_id,
            opened_time_ms=state.finding.opened_time_ms,
            detected_time_ms=state.detected_ms,
        )
    return msgspec.structs.replace(found, runbook=RUNBOOK)
