"""What the detectors show of themselves."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from streams.feedback.production.finding_metrics import FindingMetrics


class LoopMetrics(FindingMetrics):
    """Counters and gauges, by their names in Prometheus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
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
        self.unplaced = Gauge(
            "eddyline_loop_panel_items_unplaced",
            "Items of the last panel that nobody follows: there are more than EDDYLINE_DETECT_ITEMS.",
            ("watch",),
            registry=registry,
        )
        self._labels = Counter(
            "eddyline_loop_labels_total",
            "Exposures seen, by who put them there: a model, exploration, or the holdout. A model's share of "
            "all is how much of what it may learn is its own doing.",
            ("caused_by",),
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

    def caused(self, causes: Mapping[str, int]) -> None:
        """Count labels by who put them where they were seen."""
        for cause, count in causes.items():
            self._labels.labels(cause).inc(count)

    def misstamped(self, topic: str, counts: Mapping[str, int]) -> None:
        """Count messages by how their stamps were wrong."""
        for stamp, count in counts.items():
            self._misstamped.labels(topic, stamp).inc(count)

    def sliced(self, subject: str, used: Mapping[str, int]) -> None:
        """Show how many epochs could be used of each slice of a model's users."""
        if self._slices.get(subject, tuple(used)) != tuple(used):
            self._slice_epochs.remove_by_labels({"subject": subject})
        self._slices[subject] = tuple(used)
        for name, epochs in used.items():
            self._slice_epochs.labels(subject, name).set(epochs)

    def _forget(self, subject: str, detector: str) -> None:
        super()._forget(subject, detector)
        self.sliced(subject, {})
