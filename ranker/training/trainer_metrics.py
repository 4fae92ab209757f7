"""What the trainer tells: how good the champion is on what it has not seen, and how old it is."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from feature_store.clock import Clock
from ranker.registry.models import ModelMetadata


class TrainerMetrics:
    """Prequential measures (test, then train), outcomes of updates, age of the champion.

    Parameters
    ----------
    registry : where they are exported
    clock : tells the age
    """

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._created_ms: int | None = None
        self.ndcg = Gauge(
            "eddyline_trainer_ndcg_at_10",
            "Of the champion, on the newest rankings before it learns from them.",
            registry=registry,
        )
        self.log_loss = Gauge(
            "eddyline_trainer_log_loss", "Of its click predictions there.", registry=registry
        )
        self.exposures = Counter("eddyline_trainer_exposures_total", "Exposures taken in.", registry=registry)
        self.not_new = Counter(
            "eddyline_trainer_not_new_total",
            "Exposures of no new ranking: the champion came with it (known), it was taught here and is kept "
            "(revised), or is kept no longer (forgotten).",
            ["reason"],
            registry=registry,
        )
        self.left_out = Counter(
            "eddyline_trainer_left_out_total",
            "Exposures that contradict themselves: of clients whose clocks differ, or who repeat themselves.",
            ["reason"],
            registry=registry,
        )
        self.updates = Counter(
            "eddyline_trainer_updates_total", "Attempts at a new version.", ["outcome"], registry=registry
        )
        self.held = Gauge(
            "eddyline_trainer_held",
            "1 while a finding, or somebody by hand, holds training and promotion; as of the last attempt.",
            registry=registry,
        )
        age = Gauge(
            "eddyline_trainer_model_age_seconds",
            "Since the champion was made; not a number while none was learned.",
            registry=registry,
        )
        age.set_function(self._age_s)

    def serving(self, champion: ModelMetadata) -> None:
        """Note what serves now."""
        self._created_ms = champion.created_time_ms if champion.lineage else None

    def _age_s(self) -> float:
        if self._created_ms is None:
            return float("nan")
        return (self._clock.now_ms() - self._created_ms) / 1000
