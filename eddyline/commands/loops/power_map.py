"""`eddyline loops power-map`: where the power to find loops goes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

app = typer.Typer()


@app.command("power-map")
def power_map(
    output: Annotated[Path, typer.Option(file_okay=False, help="Write power-map.json and .svg there.")],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each world.")] = 20,
    first_seed: Annotated[int, typer.Option(min=0, help="The first of them; the others follow.")] = 1,
) -> None:
    """Play a loop of the total score over sizes, noises, nudges and strengths; write its power as a map."""
    from streams.loopbench.plots import draw_map
    from streams.loopbench.power_map import points_of, settings

    runs, console = range(first_seed, first_seed + seeds), Console(stderr=True)
    worlds = track(settings(), "worlds", console=console)
    points = [point for setting in worlds for point in points_of(setting, runs)]
    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"points": [asdict(point) for point in points]}, indent=1)
    (output / "power-map.json").write_text(text + "\n")
    draw_map(points, output / "power-map.svg")
    console.print(f"{len(points)} points in {output}", highlight=False)
