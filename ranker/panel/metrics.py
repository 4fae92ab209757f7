"""What the panel shows of itself."""

from collections.abc import Iterable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from ranker.panel.users import Users


class PanelMetrics:
    """Counters and gauges, by their names in Prometheus.

    Parameters
    ----------
    slices : names of all slices of users; none: users are not told apart
    """

    def __init__(self, slices: Iterable[str] = (), registry: CollectorRegistry = REGISTRY) -> None:
        self.epochs = Counter(
            "eddyline_panel_epochs_total",
            "Epochs by outcome: published, late (scored too late), missed (read too late), failed, empty "
            "(no items, or no users).",
            ("outcome",),
            registry=registry,
        )
        self.items = Gauge("eddyline_panel_items", "Items in the last panel published.", registry=registry)
        self._users = Gauge("eddyline_panel_users", "Users in the panel.", registry=registry)
        self._slice_users = Gauge(
            "eddyline_panel_slice_users",
            "Users in the panel, by slice; findings say nothing of one without.",
            ("slice",),
            registry=registry,
        )
        for name in slices:
            self._slice_users.labels(name).set(0)
        self.scoring_s = Gauge(
            "eddyline_panel_scoring_seconds", "Time to score the last panel.", registry=registry
        )

    def drawn(self, users: Users) -> None:
        """These are scored in the next epoch."""
        self._users.set(sum(map(len, users.values())))
        for name, members in users.items():
            if name:
                self._slice_users.labels(name).set(len(members))
