"""How commands read definitions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from feature_store.catalog import Catalog

folder_argument = typer.Argument(
    help="Folder of definitions (*.toml); default: EDDYLINE_DEFINITIONS, or those that are shipped.",
    exists=True,
    file_okay=False,
)


def definitions(folder: Path | None) -> Catalog:
    """The catalog of ``folder``; prints what is wrong with it and exits with 1."""
    from feature_store.catalog import InvalidDefinition, load_catalog, read_catalog

    try:
        return load_catalog() if folder is None else read_catalog(folder)
    except InvalidDefinition as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
