"""`eddyline features backfill`: rows of new views, from the log, beside those that are served."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from eddyline.commands.features._definitions import definitions
from eddyline.commands.features._rows import clear_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feature_store.views import FeatureView
    from streams.backfill.run import Wanted

app = typer.Typer()

Views = Annotated[
    list[str] | None, typer.Argument(help="Views; default: those that have no rows yet.", metavar="[VIEW]...")
]
From = Annotated[
    list[str] | None,
    typer.Option("--from", help="Begin a partition of the log here, PARTITION:OFFSET; one entity only."),
]


@app.command()
def backfill(views: Views = None, from_: From = None) -> None:
    """Fold the retained log into the rows of new views; run again, it goes on where it was cut off."""
    from feature_store.online import StaleOwner
    from feature_store.views import MissingColumn
    from streams.processors.corrupt_batch import CorruptBatch
    from streams.processors.start import CannotStart

    console = Console(soft_wrap=True)
    starts = _starts(from_ or [])
    with clear_errors():
        try:
            _backfill(console, views or [], starts)
        except StaleOwner as error:
            console.print(f"a feature worker has taken over: {error}", highlight=False)
        except (CannotStart, CorruptBatch, MissingColumn) as error:
            typer.echo(f"eddyline: {error.args[0]}", err=True)
            raise typer.Exit(1) from None


def _backfill(console: Console, names: list[str], starts: Mapping[int, int]) -> None:
    from eddyline.clients.kafka import require_broker
    from eddyline.clients.stack_settings import of_the_stack
    from feature_store.online import online_store
    from streams.apps.features_settings import FeaturesSettings
    from streams.backfill.run import run_backfill, without_rows

    settings = of_the_stack(FeaturesSettings())
    require_broker(settings)
    store = online_store(settings)
    declared = {view.name: view for view in definitions(None).views}
    if unknown := [name for name in names if name not in declared]:
        raise typer.BadParameter(f"there is no view {unknown[0]!r}; there are {', '.join(declared)}")
    missing = without_rows(settings, store, list(declared.values()))
    chosen = [declared[name] for name in names] if names else missing
    if not chosen:
        console.print("every view has rows; name one to go on with a back-fill that was cut off")
        return
    for wanted in _by_entity(chosen, starts):
        names_of = ", ".join(view.name for view in wanted.views)
        with Progress(console=console) as bar:
            task = bar.add_task(f"{names_of} from {wanted.topic}", total=None)
            run_backfill(settings, store, wanted, partial(_show, bar, task))
        console.print(f"{names_of}: caught up; feature workers go on from here", highlight=False)


def _show(bar: Progress, task: TaskID, folded: int, of: int) -> None:
    bar.update(task, completed=folded, total=of)


def _by_entity(views: list[FeatureView], starts: Mapping[int, int]) -> list[Wanted]:
    from streams.backfill.run import Wanted

    by_entity: dict[str, list[FeatureView]] = {}
    for view in views:
        by_entity.setdefault(view.entity, []).append(view)
    if starts and len(by_entity) > 1:
        raise typer.BadParameter("--from is about the log of one entity: name views of one entity")
    return [Wanted(tuple(part), starts) for part in by_entity.values()]


def _starts(words: list[str]) -> dict[int, int]:
    try:
        return {
            int(partition): int(offset) for partition, _, offset in (word.partition(":") for word in words)
        }
    except ValueError:
        raise typer.BadParameter("--from is PARTITION:OFFSET, two numbers") from None
