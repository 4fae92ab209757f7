"""`eddyline up`: start the local stack."""

import random
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer()


@app.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", help="Return once all is ready.")] = False,
) -> None:
    """Start the local stack and its workers; Ctrl-C stops everything."""
    from eddyline.commands._terminal import clear_errors, print_addresses
    from eddyline.stack.detach import Starting
    from eddyline.stack.plan import Plan
    from eddyline.stack.progress import Progress
    from eddyline.stack.run import run_stack
    from eddyline.stack.settings import StackSettings
    from ranker.experiments.settings import ExperimentSettings

    settings = StackSettings()
    ExperimentSettings()  # what rankers would refuse is refused before anything starts
    home = settings.home.resolve()
    console = Console(stderr=True, log_path=False)
    console.print(f"starting the stack in {home}", highlight=False)
    with clear_errors():
        if detach:
            print_addresses(console, Starting(home, Progress(console)).wait().addresses)
        else:
            plan = Plan(settings, random.Random())  # noqa: S311 (chooses ports)
            tell = Progress(console, when_ready=lambda: print_addresses(console, plan.addresses()))
            run_stack(settings, plan.stack, tell)
