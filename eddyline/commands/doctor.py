"""`eddyline doctor`: whether the stack can run here."""

import random

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer()


@app.command()
def doctor() -> None:
    """Look at versions, parts, disk, memory and ports; exit status 1 if something is amiss."""
    from eddyline.commands._terminal import clear_errors
    from eddyline.stack.doctor import examine
    from eddyline.stack.ports import Ports
    from eddyline.stack.settings import StackSettings

    settings = StackSettings()
    ports = Ports(settings.home / "ports.json", settings.fixed_ports, random.Random())  # noqa: S311
    with clear_errors():
        findings = list(examine(settings, ports.known))
    table = Table("check", "", "found", "what to do")
    for finding in findings:
        mark = "[green]good[/]" if finding.good else "[red]bad[/]"
        table.add_row(finding.check, mark, finding.found, "" if finding.good else finding.remedy)
    Console().print(table)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
