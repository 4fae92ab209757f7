"""What is shown of verdicts and findings, whoever has them."""

from collections import Counter as Tally
from collections.abc import Iterable
from math import e, isfinite, log10

from prometheus_client import CollectorRegistry, Gauge

from feature_store.schema.findings import FindingState
from streams.feedback.base import Verdict, VerdictKind

_LOG10 = log10(e)


class FindingMetrics:
    """Gauges by their names in Prometheus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._verdict = Gauge(
            "eddyline_loop_verdict",
            "1 for the present verdict of a detector, 0 for the others, with the experiment that it reads.",
            ("subject", "detector", "experiment", "verdict"),
            registry=registry,
        )
        self._reason = Gauge(
            "eddyline_loop_blind_reason",
            "1 for why a detector is blind, in words.",
            ("subject", "detector", "reason"),
            registry=registry,
        )
        self._subjects: dict[tuple[str, str], str] = {}
        self._reasons: dict[tuple[str, str], str] = {}
        self._evidence = Gauge(
            "eddyline_loop_evidence_log10",
            "Largest evidence W for a feedback loop since the detectors started, as a power of ten.",
            ("subject", "detector"),
            registry=registry,
        )
        self._threshold = Gauge(
            "eddyline_loop_threshold_log10",
            "Evidence from which it is a ticket or a page, as a power of ten.",
            ("severity",),
            registry=registry,
        )
        self._beta = Gauge(
            "eddyline_loop_beta",
            "Effect of one unit of nudge on the strongest answer in the next epoch; of D3-presentation: of "
            "exploring on clicks per row; of D5: of a deploy on the click rate of what chance chose. "
            "Estimate and bounds.",
            ("subject", "detector", "bound"),
            registry=registry,
        )
        self._gain = Gauge(
            "eddyline_loop_gain",
            "Effect of one unit of nudge on the strongest answer over all later epochs: estimate and bounds.",
            ("subject", "detector", "bound"),
            registry=registry,
        )
        self._open = Gauge(
            "eddyline_loop_findings_open",
            "Findings that nobody has closed.",
            ("verdict", "acknowledged"),
            registry=registry,
        )

    def judged(self, watch: str, subject: str, verdict: Verdict, experiment: str) -> None:
        """Show a verdict, in place of what it said of a subject that ``watch`` no longer follows.

        Parameters
        ----------
        experiment : whose randomisation it rests on
        """
        who = subject, verdict.detector
        self._forget_another(watch, *who)
        for kind in VerdictKind:
            self._verdict.labels(*who, experiment, kind).set(kind is verdict.kind)
        self._explain(who, verdict.reason if verdict.kind is VerdictKind.BLIND else "")
        if isfinite(verdict.statistic):
            self._evidence.labels(*who).set(verdict.statistic * _LOG10)
        self._threshold.labels("ticket").set(log10(verdict.ticket))
        self._threshold.labels("page").set(log10(verdict.page))
        for gauge, estimate in ((self._beta, verdict.beta), (self._gain, verdict.gain)):
            for bound in ("value", "lower", "upper") if estimate is not None else ():
                gauge.labels(*who, bound).set(getattr(estimate, bound))

    def opened(self, states: Iterable[FindingState]) -> None:
        """Show the findings that are open."""
        tally = Tally((state.finding.verdict, state.acknowledgement is not None) for state in states)
        for verdict in ("warning", "loop_detected"):
            for acknowledged in (False, True):
                count = tally[verdict, acknowledged]
                self._open.labels(verdict, str(acknowledged).lower()).set(count)

    def _forget_another(self, watch: str, subject: str, detector: str) -> None:
        before = self._subjects.get((watch, detector), subject)
        if before != subject:
            self._forget(before, detector)
        self._subjects[watch, detector] = subject

    def _forget(self, subject: str, detector: str) -> None:
        for gauge in (self._verdict, self._reason, self._evidence, self._beta, self._gain):
            gauge.remove_by_labels({"subject": subject, "detector": detector})
        self._reasons.pop((subject, detector), None)

    def _explain(self, who: tuple[str, str], reason: str) -> None:
        """The one reason that holds now; "" none."""
        shown = self._reasons.get(who, "")
        if shown and shown != reason:
            self._reason.remove(*who, shown)
        if reason:
            self._reason.labels(*who, reason).set(1)
        self._reasons[who] = reason
