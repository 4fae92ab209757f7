"""`eddyline loops experiments`: the detectors that need exploration, a holdout or jittered deploys."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.loopbench.experiments import ExperimentRow

app = typer.Typer()


@app.command()
def experiments(
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each world.")] = 20,
    first_seed: Annotated[int, typer.Option(min=0, help="The first of them; the others follow.")] = 1,
    world: Annotated[
        list[str] | None, typer.Option(help="Only this world; may be given more than once.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Play the worlds of D3, D4 and D5, which have records of their own; print how often they alarm."""
    from streams.loopbench.experiments import EXPERIMENTS

    names = world or list(EXPERIMENTS)
    unknown = sorted(set(names) - set(EXPERIMENTS))
    if unknown:
        raise typer.BadParameter(
            f"{', '.join(unknown)}: not among {', '.join(EXPERIMENTS)}", param_hint="--world"
        )
    rows = _run(names, range(first_seed, first_seed + seeds))
    if as_json:
        typer.echo(json.dumps({"worlds": [row.to_json() for row in rows]}))
    else:
        Console().print(_table(rows))


def _run(names: Sequence[str], seeds: Sequence[int]) -> list[ExperimentRow]:
    from streams.loopbench.experiments import EXPERIMENTS, run_experiment

    rows = []
    columns = (TextColumn("{task.description}"), *Progress.get_default_columns()[1:2], MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        for name in names:
            advance = partial(progress.advance, progress.add_task(name, total=len(seeds)))
            rows.append(run_experiment(EXPERIMENTS[name], seeds, advance))
    return rows


def _table(rows: Sequence[ExperimentRow]) -> Table:
    table = Table(
        Column("world", no_wrap=True),
        *("detector", "loop", "events", "alarms", "95 % interval", "promised", "p50"),
        title="LoopBench: other experiments than nudges",
        title_justify="left",
    )
    for row in rows:
        colour = {True: "green", False: "red", None: "default"}[row.holds]
        table.add_row(
            row.world,
            row.detector,
            "yes" if row.loop else "no",
            _short(row.events),
            f"[{colour}]{row.alarms}/{row.seeds}[/]",
            f"{row.power_low:.4f}-{row.power_high:.4f}",
            _promised(row),
            "" if row.events_to_alarm_p50 is None else _short(row.events_to_alarm_p50),
        )
    return table


def _promised(row: ExperimentRow) -> str:
    if not row.loop:
        return "≤ .01"
    return "" if row.target_power is None else f"≥ {row.target_power:g}"


def _short(count: float) -> str:
    """Impressions in thousands; retrains as they are."""
    return f"{count / 1000:,.0f} k" if count >= 1000 else f"{count:.0f}"
