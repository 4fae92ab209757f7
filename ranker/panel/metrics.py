"""What the panel shows of itself."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge


class PanelMetrics:
    """Counters and gauges, by their names in Prometheus."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.epochs = Counter(
            "eddyline_panel_epochs_total",
            "Epochs by outcome: published, late (scored too late), missed (read too late), failed, empty "
            "(no items).",
            ("outcome",),
            registry=registry,
        )
        self.items = Gauge("eddyline_panel_items", "Items in the last panel published.", registry=registry)
        self.users = Gauge("eddyline_panel_users", "Users in the panel.", registry=registry)
        self.scoring_s = Gauge(
            "eddyline_panel_scoring_seconds", "Time to score the last panel.", registry=registry
        )
