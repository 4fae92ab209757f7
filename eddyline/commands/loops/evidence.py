"""`eddyline loops evidence`: how evidence grows where there is a loop, and does not where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

app = typer.Typer()


@app.command()
def evidence(
    output: Annotated[Path, typer.Option(dir_okay=False, help="Write the plot there (.svg, .png or .pdf).")],
    world: Annotated[list[str], typer.Option(help="A world; may be given more than once.")],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each world.")] = 10,
    first_seed: Annotated[int, typer.Option(min=0, help="The first of them; the others follow.")] = 1,
) -> None:
    """Play worlds; plot W, the evidence for a loop, against the events seen, a line a run."""
    from eddyline.commands.loops._worlds import chosen_worlds
    from streams.loopbench.evidence import evidence_course
    from streams.loopbench.plots import draw_evidence
    from streams.loopbench.worlds.catalogue import WORLDS

    names = chosen_worlds(world, WORLDS)
    if output.suffix not in (".svg", ".png", ".pdf"):
        raise typer.BadParameter(f"{output.name}: not .svg, .png or .pdf", param_hint="--output")
    output.parent.mkdir(parents=True, exist_ok=True)
    runs, console = range(first_seed, first_seed + seeds), Console(stderr=True)
    worlds = track(names, "worlds", console=console)
    draw_evidence([evidence_course(WORLDS[name], runs) for name in worlds], output)
    console.print(f"{output}", highlight=False)
