"""`eddyline status`: how the local stack is."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from eddyline.stack.state import State

app = typer.Typer()


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show the stack's addresses and processes; exit status 1 when none runs."""
    from eddyline.commands._terminal import clear_errors
    from eddyline.stack.settings import StackSettings
    from eddyline.stack.state import read_state, summary

    home = StackSettings().home.resolve()
    with clear_errors():
        state = read_state(home)
    if as_json:
        typer.echo(json.dumps({"processes": {}, "ready": False} if state is None else summary(state)))
    else:
        _show(home, state)
    if state is None or not state.supervised:
        raise typer.Exit(1)


def _show(home: object, state: "State | None") -> None:
    from eddyline.commands._terminal import print_addresses

    console = Console()
    if state is None:
        console.print(f"no stack runs in {home}; `eddyline up` starts one", highlight=False)
        return
    print_addresses(console, state.addresses)
    console.print(_table(state))
    if not state.supervised:
        console.print("[red]its supervisor is dead[/]; `eddyline down` clears away what is left")


def _table(state: "State") -> Table:
    table = Table("process", "pid", "state", "restarts", "why")
    for process in state.processes:
        colour = "green" if process.ready else "red"
        table.add_row(
            process.name,
            str(process.pid or ""),
            f"[{colour}]{process.phase}[/]",
            str(process.restarts),
            process.reason or "",
        )
    return table
