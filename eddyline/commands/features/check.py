"""`eddyline features check` and `init`: definitions of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eddyline.commands.features._definitions import definitions, folder_argument

app = typer.Typer()


@app.command()
def check(folder: Annotated[Path | None, folder_argument] = None) -> None:
    """Say what is wrong with definitions, or what they are."""
    catalog = definitions(folder)
    for view in catalog.views:
        typer.echo(f"view {view.name}: {len(view.features)} features, fingerprint {view.fingerprint}")
    for service in catalog.services:
        columns = len(service.user) + len(service.candidate)
        typer.echo(f"service {service.name}: {columns} columns, fingerprint {service.fingerprint}")


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Folder to make; it must not exist.")]) -> None:
    """Copy the shipped definitions into a folder of your own, to change them there."""
    from feature_store.definition_files import SHIPPED

    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        typer.echo(f"{folder} exists", err=True)
        raise typer.Exit(1) from None
    for path in sorted(SHIPPED.glob("*.toml")):
        (folder / path.name).write_text(path.read_text())
    typer.echo(
        f"Change them, then: eddyline features check {folder}; use them: EDDYLINE_DEFINITIONS={folder}"
    )
