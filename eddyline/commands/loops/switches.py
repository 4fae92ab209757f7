"""`eddyline loops stop|start EXPERIMENT`: the switches of what is randomised; they work within a second."""

from enum import StrEnum
from typing import Annotated

import typer

from eddyline.commands.loops._deployment import clear_errors, settings_of_deployment

app = typer.Typer()


class Experiment(StrEnum):
    """What can be switched off."""

    NUDGES = "nudges"
    EXPLORATION = "exploration"
    HOLDOUT = "holdout"
    DEPLOYS = "deploys"


@app.command()
def stop(
    experiment: Experiment,
    reason: Annotated[str, typer.Option(help="Why, for whoever wants to start it again.")],
) -> None:
    """Switch an experiment off in every ranker."""
    from feature_store.clock import SystemClock
    from feature_store.online.switches import Switch, open_switches

    with clear_errors():
        open_switches(settings_of_deployment()).switch_off(experiment, Switch(reason, SystemClock().now_ms()))
    typer.echo(f"{experiment} is off")


@app.command()
def start(experiment: Experiment) -> None:
    """Let an experiment run again."""
    from feature_store.online.switches import open_switches

    with clear_errors():
        open_switches(settings_of_deployment()).switch_on(experiment)
    typer.echo(f"{experiment} may run")
