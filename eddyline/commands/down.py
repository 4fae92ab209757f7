"""`eddyline down`: stop the local stack."""

import typer
from rich.console import Console

app = typer.Typer()


@app.command()
def down() -> None:
    """Drain and stop the local stack; kill what does not stop in time."""
    from eddyline.commands._terminal import clear_errors
    from eddyline.stack.settings import StackSettings
    from eddyline.stack.sweep import stop_stack

    settings = StackSettings()
    console = Console(stderr=True)
    # Workers drain first, then the parts they drained into.
    with clear_errors():
        stopped = stop_stack(settings.home.resolve(), deadline_s=2 * settings.drain_within_s + 30)
    console.print("stopped" if stopped else f"no stack runs in {settings.home.resolve()}", highlight=False)
