"""`eddyline train`: learn a ranker from exposures, show how good it is, and let it serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from feature_store.settings import Settings
    from ranker.training.run import Plan, Trained

app = typer.Typer()

Fraction = Annotated[
    float, typer.Option(min=0.05, max=0.95, help="Share of the requests, in time order, to learn from.")
]
Until = Annotated[
    int | None, typer.Option(help="Learn from requests up to this moment, ms UTC, instead of a share.")
]
Promote = Annotated[bool, typer.Option(help="Make it the champion if it is no worse than the present one.")]
Seed = Annotated[int, typer.Option(help="Same exposures and seed: same model.")]


@app.command()
def train(
    fraction: Fraction = 0.8, until_time_ms: Until = None, promote: Promote = True, seed: Seed = 1
) -> None:
    """Learn from what was served and seen; the requests after that say how good it is."""
    from confluent_kafka import KafkaException

    from ranker.registry.models import RegistryError
    from ranker.training.errors import TrainingError
    from ranker.training.fit import Parameters
    from ranker.training.run import Plan
    from ranker.triton.base import InferenceError

    console = Console()
    plan = Plan(Parameters(seed=seed), fraction=fraction, until_time_ms=until_time_ms, promote=promote)
    try:
        _report(console, _train(console, _settings(), plan))
    except (TrainingError, RegistryError, InferenceError, KafkaException) as error:
        console.print(f"[red]eddyline:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _train(console: Console, settings: Settings, plan: Plan) -> Trained:
    from contextlib import closing

    from feature_store.clock import SystemClock
    from feature_store.exposure_log import read_exposures
    from ranker.registry.connect import open_registry
    from ranker.registry.signature import default_signature
    from ranker.training.publish import Publisher
    from ranker.training.run import train as run
    from ranker.triton.connect import open_inference

    clock, signature = SystemClock(), default_signature()
    exposures = read_exposures(settings).exposures
    console.print(f"{len(exposures)} exposures read", highlight=False)
    with (
        closing(open_inference(settings, signature.fingerprint)) as inference,
        Progress(console=console) as bar,
    ):
        publisher = Publisher(open_registry(settings, clock), inference, signature)
        return run(exposures, publisher, plan, _Epochs(bar).show, clock.now_ms())


class _Epochs:
    """The progress bar of a fit."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("learning", total=None)

    def show(self, epoch: int, epochs: int, value: float | None) -> None:
        quality = "" if value is None else f", NDCG@10 {value:.4f} on the validation part"
        self._bar.update(
            self._task, completed=epoch, total=epochs, description=f"learning: pass {epoch}{quality}"
        )


def _report(console: Console, trained: Trained) -> None:
    console.print(_table(trained))
    serving = "is the champion now" if trained.promoted else "is loaded, and not the champion"
    console.print(f"{trained.model.id} {serving}: {trained.reason}", highlight=False, soft_wrap=True)
    if trained.retired:
        console.print(f"unloaded: {', '.join(map(str, trained.retired))}", highlight=False)


def _table(trained: Trained) -> Table:
    evaluation = trained.evaluation
    title = f"{evaluation.clicked_requests} requests with a click, later than all training data"
    table = Table("ranker", "NDCG@10", "± s.e.", title=title)
    for result in evaluation.results:
        table.add_row(result.ranker, f"{result.ndcg_at_10:.4f}", f"{result.standard_error:.4f}")
    return table


def _settings() -> Settings:
    """Of the stack that runs in `EDDYLINE_HOME`, else of the environment."""
    from pydantic import SecretStr

    from eddyline.stack.state import read_state
    from feature_store.settings import Settings

    settings = Settings()
    state = read_state(settings.home.resolve())
    if state is None or not state.supervised:
        return settings
    addresses = state.addresses
    found: dict[str, Any] = {
        "home": Path(settings.home).resolve(),
        "kafka_bootstrap": addresses.kafka,
        "redis_url": SecretStr(addresses.redis),
        "inference": addresses.inference,
    }
    if addresses.triton_grpc is not None:
        found["triton_grpc"] = addresses.triton_grpc
    return settings.model_copy(update=found)
