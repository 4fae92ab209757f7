"""`eddyline train`: learn a ranker from exposures, show how good it is, and let it serve."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from feature_store.exposure_log import ExposureRead
    from feature_store.items import ItemTable
    from feature_store.settings import Settings
    from ranker.training.learning import Learned, Plan
    from ranker.training.run import Trained

app = typer.Typer()

_ITEMS_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.5

Fraction = Annotated[
    float, typer.Option(min=0.05, max=0.95, help="Share of the requests, in time order, to learn from.")
]
Until = Annotated[
    int | None, typer.Option(help="Learn from requests up to this moment, ms UTC, instead of a share.")
]
AfterRequests = Annotated[
    int, typer.Option(min=0, help="Wait until exposures of so many requests are there; 0: learn at once.")
]
GateFile = Annotated[
    Path | None,
    typer.Option("--gate", exists=True, dir_okay=False, help="Gate to pass; unset: EDDYLINE_GATE."),
]
Promote = Annotated[bool, typer.Option(help="Make it the champion if it passes the gate.")]
Seed = Annotated[int, typer.Option(help="Same exposures and seed: same model.")]
Log = Annotated[
    Path | None,
    typer.Option(help="Try it on a RankLens log, folded in this process; needs no stack, registers nothing."),
]


@app.command()
def train(
    fraction: Fraction = 0.8,
    until_time_ms: Until = None,
    after_requests: AfterRequests = 0,
    promote: Promote = True,
    gate: GateFile = None,
    seed: Seed = 1,
    log: Log = None,
) -> None:
    """Learn from what was served and seen; the requests after that say how good it is."""
    from confluent_kafka import KafkaException

    from eddyline.replay.ranklens import RankLensError
    from ranker.registry.hold import HoldUnknown
    from ranker.registry.models import RegistryError
    from ranker.training.errors import TrainingError
    from ranker.training.fit import Parameters
    from ranker.training.learning import Plan
    from ranker.triton.base import InferenceError

    console = Console()
    plan = Plan(Parameters(seed=seed), fraction=fraction, until_time_ms=until_time_ms, promote=promote)
    try:
        if log is not None:
            _report_trial(console, _try(console, log, plan))
        else:
            _report(console, _train(console, _settings(), plan, gate, after_requests))
    except (
        *(TrainingError, RegistryError, InferenceError, HoldUnknown),
        *(KafkaException, RankLensError, OSError),
    ) as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]eddyline:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from None


def _train(
    console: Console, settings: Settings, plan: Plan, gate: Path | None, after_requests: int
) -> Trained:
    from contextlib import closing
    from dataclasses import replace

    from eddyline.clients.kafka import require_broker
    from eddyline.commands._labels import label_window_s
    from feature_store.clock import SystemClock
    from ranker.registry.connect import open_registry, open_training_data
    from ranker.registry.hold import training_hold
    from ranker.registry.signature import default_signature
    from ranker.training.gate import load_gate
    from ranker.training.publish import Publisher
    from ranker.training.run import train as run
    from ranker.training.settings import LearningSettings
    from ranker.triton.connect import open_inference

    clock, signature = SystemClock(), default_signature()
    window_s, limits = label_window_s(), load_gate(gate or LearningSettings().gate)
    require_broker(settings)
    registry = open_registry(settings, clock, recorded=True)
    registry.reach_records()
    with console.status(f"waiting for exposures of {after_requests} requests"):
        read = _read(settings, after_requests)
    console.print(f"{len(read.exposures)} exposures read", highlight=False)
    with (
        closing(open_inference(settings, signature.fingerprint)) as inference,
        Progress(console=console) as bar,
    ):
        publisher = Publisher(
            registry, inference, signature, open_training_data(settings), training_hold(settings)
        )
        named = replace(
            plan,
            genres=_named(each.attributes for each in _items(settings)),
            label_window_ms=None if window_s is None else round(window_s * 1000),
        )
        show = _Epochs(bar).show
        return run(read.exposures, publisher, named, show, clock.now_ms(), offsets=read.offsets, gate=limits)


def _read(settings: Settings, after_requests: int) -> ExposureRead:
    """All exposures, once they are of so many requests."""
    from feature_store.exposure_log import read_exposures

    read = read_exposures(settings)
    while read.rankings < after_requests:
        time.sleep(_LOOK_EVERY_S)
        read = read.continued(settings)
    return read


def _items(settings: Settings) -> ItemTable:
    """What the topic `items` holds now, or as much of it as comes in time: it only names genres."""
    from contextlib import closing

    from feature_store.items import ItemsFollower, ItemTable

    table = ItemTable()
    with closing(ItemsFollower(settings, table)) as follower:
        follower.start()
        follower.wait_caught_up(_ITEMS_WITHIN_S)
    return table


def _try(console: Console, log: Path, plan: Plan) -> Learned:
    from dataclasses import replace

    from eddyline.replay.dataset import ranklens_dataset
    from eddyline.replay.offline import offline_exposures
    from eddyline.replay.ranklens import attributes_of, read_ranklens
    from feature_store.catalog import load_catalog
    from ranker.registry.signature import SERVICE, signature_of
    from ranker.training.learning import learn

    catalog, read = load_catalog(), read_ranklens(log)
    service = catalog.service(SERVICE)
    ranklens_dataset(read, catalog.item_attributes, log.name)  # refuses what nothing can be learned from
    with Progress(console=console) as bar:
        task = bar.add_task("folding the log", total=len(read.rankings))
        exposures = offline_exposures(
            read, catalog, service, lambda done, _: bar.update(task, completed=done)
        )
        named = replace(plan, genres=_named(map(attributes_of, read.items)))
        return learn(exposures, signature_of(service), named, _Epochs(bar).show)


def _named(attributes: Iterable[Mapping[str, object]]) -> dict[int, str]:
    """The hash of each genre that an item has -> its name."""
    from feature_store.schema.ids import hash53

    return {hash53(genre): genre for each in attributes for genre in _texts(each.get("genres"))}


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


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
    from eddyline.commands._evaluation import checks_table, quality_table, slices_table

    for reason, count in trained.left_out.items():
        console.print(f"left out: {count} {reason}", highlight=False)
    train = trained.model.data["train"]
    _tell_weights(console, train["effective_rows"], train["rows"])
    console.print(quality_table(trained.evaluation))
    if trained.evaluation.slices:
        console.print(slices_table(trained.evaluation))
    console.print(checks_table(trained.checks))
    serving = "is the champion now" if trained.promoted else "is loaded, and not the champion"
    console.print(f"{trained.model.id} {serving}: {trained.reason}", highlight=False, soft_wrap=True)
    if trained.retired:
        console.print(f"set aside: {', '.join(map(str, trained.retired))}", highlight=False)


def _report_trial(console: Console, learned: Learned) -> None:
    from eddyline.commands._evaluation import checks_table, quality_table, slices_table
    from ranker.training.gate import load_gate, offline_checks
    from ranker.training.settings import LearningSettings

    _tell_weights(console, learned.fitted.effective_rows, len(learned.parts.train))
    console.print(quality_table(learned.evaluation))
    console.print(slices_table(learned.evaluation))
    console.print(checks_table(tuple(offline_checks(load_gate(LearningSettings().gate), learned.evidence))))


def _tell_weights(console: Console, effective: float, rows: int) -> None:
    """Only where propensities differ, and rows weigh unequally."""
    if round(effective) < rows:
        told = f"{rows} rows, weighed by inverse propensities, are worth {effective:.0f} equal ones"
        console.print(told, highlight=False)


def _settings() -> Settings:
    from eddyline.clients.stack_settings import of_the_stack
    from feature_store.settings import Settings

    return of_the_stack(Settings())
