"""What the detectors show of themselves."""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from math import e, log10

from prometheus_client import CollectorRegistry, Counter, Gauge

from feature_store.schema.findings import FindingState
from streams.feedback.base import Verdict, VerdictKind

_LOG10 = log10(e)


class LoopMetrics:
    """Counters and gauges, by their names in Prometheus."""

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
        self.epochs = Counter(
            "eddyline_loop_epochs_total",
            "Epochs closed, by the watch that reads the panel and outcome: used, or why not.",
            ("watch", "outcome"),
            registry=registry,
        )
        self._exposures = Counter(
            "eddyline_loop_exposures_total",
            "Exposures read, by the watch that read them and outcome: used, or why not.",
            ("watch", "outcome"),
            registry=registry,
        )
        self.refused = Counter(
            "eddyline_loop_records_refused_total",
            "Messages of `findings` that are no finding and no acknowledgement.",
            registry=registry,
        )
        self._misstamped = Counter(
            "eddyline_loop_messages_misstamped_total",
            "Messages whose Kafka timestamp was more than five minutes ahead of a later one of their log, or "
            "behind an earlier one, as of which they count.",
            ("topic", "stamp"),
            registry=registry,
        )
        self.last_epoch_s = Gauge(
            "eddyline_loop_last_epoch_end_seconds",
            "When the last epoch ended that a watch of scores could use, Unix time.",
            ("watch",),
            registry=registry,
        )
        self._slices: dict[str, tuple[str, ...]] = {}
        self._slice_epochs = Gauge(
            "eddyline_loop_slice_epochs_used",
            "Epochs since the detectors started in which something could be said of a slice of users; of one "
            "whose number stands still they are blind.",
            ("subject", "slice"),
            registry=registry,
        )
        self.silent_after_s = Gauge(
            "eddyline_loop_silent_after_seconds",
            "Age of the last epoch from which on the detectors are silent.",
            registry=registry,
        )

    def exposed(self, watch: str, counts: Mapping[str, int]) -> None:
        """Count exposures by outcome."""
        for outcome, count in counts.items():
            self._exposures.labels(watch, outcome).inc(count)

    def misstamped(self, topic: str, counts: Mapping[str, int]) -> None:
        """Count messages by how their stamps were wrong."""
        for stamp, count in counts.items():
            self._misstamped.labels(topic, stamp).inc(count)

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
        self._evidence.labels(*who).set(verdict.statistic * _LOG10)
        self._threshold.labels("ticket").set(log10(verdict.ticket))
        self._threshold.labels("page").set(log10(verdict.page))
        for gauge, estimate in ((self._beta, verdict.beta), (self._gain, verdict.gain)):
            for bound in ("value", "lower", "upper") if estimate is not None else ():
                gauge.labels(*who, bound).set(getattr(estimate, bound))

    def sliced(self, subject: str, used: Mapping[str, int]) -> None:
        """Show how many epochs could be used of each slice of a model's users."""
        if self._slices.get(subject, tuple(used)) != tuple(used):
            self._slice_epochs.remove_by_labels({"subject": subject})
        self._slices[subject] = tuple(used)
        for name, epochs in used.items():
            self._slice_epochs.labels(subject, name).set(epochs)

    def _forget_another(self, watch: str, subject: str, detector: str) -> None:
        before = self._subjects.get((watch, detector), subject)
        if before != subject:
            for gauge in (self._verdict, self._reason, self._evidence, self._beta, self._gain):
                gauge.remove_by_labels({"subject": before, "detector": detector})
            self._reasons.pop((before, detector), None)
            self.sliced(before, {})
        self._subjects[watch, detector] = subject

    def _explain(self, who: tuple[str, str], reason: str) -> None:
        """The one reason that holds now; "" none."""
        shown = self._reasons.get(who, "")
        if shown and shown != reason:
            self._reason.remove(*who, shown)
        if reason:
            self._reason.labels(*who, reason).set(1)
        self._reasons[who] = reason

    def opened(self, states: Iterable[FindingState]) -> None:
        """Show the findings that are open."""
        tally = Tally((state.finding.verdict, state.acknowledgement is not None) for state in states)
        for verdict in ("warning", "loop_detected"):
            for acknowledged in (False, True):
                count = tally[verdict, acknowledged]
                self._open.labels(verdict, str(acknowledged).lower()).set(count)
