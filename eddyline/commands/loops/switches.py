"""`eddyline loops stop|start NAME`: switches of what is randomised and of training, read within a second."""

from enum import StrEnum
from typing import Annotated

import typer

from eddyline.commands.loops._deployment import clear_errors, settings_of_deployment

app = typer.Typer()


class Switched(StrEnum):
    """What can be switched off: experiments, and learning with promotion."""

    NUDGES = "nudges"
    EXPLORATION = "exploration"
    HOLDOUT = "holdout"
    DEPLOYS = "deploys"
    TRAINING = "training"


Name = Annotated[Switched, typer.Argument(help="An experiment, or training.")]


@app.command()
def stop(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why, for whoever wants to start it again.")],
) -> None:
    """Switch an experiment off in every ranker, or training and promotion everywhere."""
    from feature_store.clock import SystemClock
    from feature_store.online.switches import Switch, open_switches

    with clear_errors():
        switches = open_switches(settings_of_deployment())
        before = switches.read().get(name)
        since_ms = SystemClock().now_ms() if before is None else before.since_time_ms
        switches.switch_off(name, Switch(reason, since_ms))
    typer.echo(f"{name} is off")


@app.command()
def start(name: Name) -> None:
    """Let it run again."""
    from feature_store.online.switches import open_switches

    with clear_errors():
        open_switches(settings_of_deployment()).switch_on(name)
    typer.echo(f"{name} may run")
