"""`eddyline datasets`: training sets as files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from ranker.training.datasets.dataset import Dataset

app = typer.Typer()
datasets = typer.Typer(
    no_args_is_help=True, help="Training sets as files: made here, or brought from elsewhere."
)
app.add_typer(datasets, name="datasets")

Out = Annotated[Path, typer.Argument(help="File to write: .parquet, .csv or .libsvm.", dir_okay=False)]
Label = Annotated[str, typer.Option(help="Action that a LibSVM file is about.")]
WeightMax = Annotated[float, typer.Option(min=1, help="Importance weights are clipped there.")]
RANKLENS = "ranklens"


@datasets.command()
def export(
    out: Out,
    label_window_s: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="An outcome counts up to so long after the impression, s; unset: EDDYLINE_LABEL_WINDOW_S, "
            "else EDDYLINE_JOIN_WINDOW_S.",
        ),
    ] = None,
    weight_max: WeightMax = 100.0,
    label: Label = "click",
) -> None:
    """Write what was served and seen, with what users did within the label window."""
    with _clear_errors():
        _write(_served(label_window_s, weight_max), out, label)


@datasets.command("import")
def import_(
    log: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV (also .gz), .parquet, RankLens.")
    ],
    out: Out,
    mapping: Annotated[
        str, typer.Option(help="TOML file that says which column is what; or ranklens, or open-bandit.")
    ],
    weight_max: WeightMax = 100.0,
    label: Label = "click",
) -> None:
    """Make a training set of a log from elsewhere."""
    with _clear_errors():
        _write(_foreign(log, mapping, weight_max), out, label)


def _served(asked_window_s: float | None, weight_max: float) -> Dataset:
    from contextlib import closing

    from eddyline.clients.kafka import require_broker
    from eddyline.clients.stack_settings import of_the_stack
    from eddyline.commands._labels import label_window_s
    from feature_store.catalog import load_catalog
    from feature_store.schema.exposures import decode_exposures
    from feature_store.schema.topics import EXPOSURES
    from feature_store.topic_log import log_bounds, log_reader, read_log
    from ranker.registry.signature import SERVICE
    from ranker.service.settings import RankerSettings
    from ranker.training.datasets.dataset import check
    from ranker.training.datasets.from_exposures import from_exposures
    from streams.apps.join_settings import JoinSettings

    window_s = label_window_s(asked_window_s)
    settings = of_the_stack(RankerSettings())
    require_broker(settings)
    with closing(log_reader(settings, "datasets")) as consumer:
        offsets = log_bounds(consumer, EXPOSURES)
        messages = [
            decode_exposures(message.value() or b"") for message in read_log(consumer, EXPOSURES, offsets)
        ]
    dataset = from_exposures(
        messages,
        offsets,
        load_catalog().service(SERVICE),
        label_window_s=JoinSettings().join_window_s if window_s is None else window_s,
        weight_max=weight_max,
    )
    check(dataset)
    return dataset


def _foreign(log: Path, mapping: str, weight_max: float) -> Dataset:
    from eddyline.replay.dataset import ranklens_dataset
    from eddyline.replay.ranklens import read_ranklens
    from feature_store.catalog import load_catalog
    from ranker.training.datasets.foreign import MAPPINGS, import_log, read_mapping

    if mapping == RANKLENS:
        return ranklens_dataset(read_ranklens(log), load_catalog().item_attributes, log.name)
    shipped = MAPPINGS / f"{mapping}.toml"
    return import_log(
        log, read_mapping(shipped if shipped.exists() else Path(mapping)), weight_max=weight_max
    )


def _write(dataset: Dataset, out: Path, label: str) -> None:
    from ranker.training.datasets.dataset import FEATURE, LABEL
    from ranker.training.datasets.files import write

    written = write(dataset, out, label)
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"{len(dataset.rows)} rows, {len(dataset.names(FEATURE))} features, "
        f"labels {', '.join(name.removeprefix(LABEL) for name in dataset.names(LABEL))}: "
        f"{', '.join(map(str, written))}"
    )
    flagged = dataset.description.flagged
    if flagged:
        console.print("  rows " + ", ".join(f"{name.replace('_', ' ')}: {n}" for name, n in flagged.items()))
    for reason, count in dataset.description.left_out.items():
        console.print(f"  left out: {count} {reason}")


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Print what may be wrong with a log as one message, without a trace, and exit with 1."""
    from confluent_kafka import KafkaException

    from eddyline.replay.ranklens import RankLensError
    from feature_store.catalog import InvalidDefinition
    from ranker.training.errors import TrainingError

    try:
        yield
    except (TrainingError, RankLensError, InvalidDefinition, KafkaException, OSError) as error:
        typer.echo(f"eddyline: {error}", err=True)
        raise typer.Exit(1) from None
