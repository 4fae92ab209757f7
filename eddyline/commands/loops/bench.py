"""`eddyline loops bench`: how well loops are found, in worlds where the truth is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.loopbench.results import BoardRow

app = typer.Typer()


@app.command()
def bench(
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each world.")] = 20,
    first_seed: Annotated[int, typer.Option(min=0, help="The first of them; the others follow.")] = 1,
    world: Annotated[
        list[str] | None, typer.Option(help="Only this world; may be given more than once.")
    ] = None,
    baselines: Annotated[
        bool, typer.Option(help="Show what others would have watched on the same board, and what they cost.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    output: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write loopbench.json, .md and plots (SVG) there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Play worlds with and without feedback loops; print how often, and how soon, the detectors alarm."""
    from eddyline.commands.loops._worlds import chosen_worlds
    from streams.loopbench.report import as_table, as_table_of_contenders
    from streams.loopbench.run import NAMES

    names = chosen_worlds(world or NAMES, NAMES)
    rows = _run(names, range(first_seed, first_seed + seeds), workers, baselines, output)
    if as_json:
        typer.echo(json.dumps({"worlds": [row.to_json() for row in rows]}))
    else:
        console = Console()
        for table in (as_table(rows), as_table_of_contenders(rows)):
            if table is not None:
                console.print(table)


def _run(
    names: Sequence[str], seeds: Sequence[int], workers: int, baselines: bool, output: Path | None
) -> list[BoardRow]:
    from streams.loopbench.alarms import no_contenders
    from streams.loopbench.contenders import everybody
    from streams.loopbench.run import run_worlds

    rows: list[BoardRow] = []
    columns = (TextColumn("{task.description}"), *Progress.get_default_columns()[1:2], MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        bars = {name: progress.add_task(name, total=len(seeds)) for name in names}
        contenders = everybody if baselines else no_contenders

        def advance(name: str, count: int) -> None:
            progress.advance(bars[name], count)

        for row in run_worlds(names, seeds, workers, advance, contenders):
            rows.append(row)
            if output:
                _write(output, rows)
    return rows


def _write(folder: Path, rows: Sequence[BoardRow]) -> None:
    from streams.loopbench.plots import draw
    from streams.loopbench.report import as_markdown

    folder.mkdir(parents=True, exist_ok=True)
    worlds = {"worlds": [row.to_json() for row in rows]}
    (folder / "loopbench.json").write_text(json.dumps(worlds, indent=1) + "\n")
    (folder / "loopbench.md").write_text(as_markdown(rows))
    draw(rows, folder)
