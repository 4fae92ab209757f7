"""`eddyline demo`: the whole main job before the eyes of a newcomer."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer()


@app.command()
def demo(
    events: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A RankLens log to play instead of users."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the simulated users.")] = 1,
) -> None:
    """Start a stack, play users against it, train on what they do, and swap the model in.

    At a terminal it ends with Ctrl-C; otherwise it stops everything that it started.
    """
    from rich.markup import escape

    from eddyline.demo.run import expected, run_demo

    console = Console()
    try:
        run_demo(events, seed, console)
    except expected() as error:
        console.print(f"[red]eddyline:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
