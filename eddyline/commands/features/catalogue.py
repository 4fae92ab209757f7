"""`eddyline features catalogue`: the page that says what every feature means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eddyline.commands.features._definitions import definitions, folder_argument

app = typer.Typer()


@app.command()
def catalogue(
    folder: Annotated[Path | None, folder_argument] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; default: print it.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if the file differs.")] = False,
) -> None:
    """Write the catalogue of features, or check that the one there is current."""
    text = page(folder)
    if output is None:
        typer.echo(text, nl=False)
    elif check:
        _compare(output, text)
    else:
        output.write_text(text)


def page(folder: Path | None = None) -> str:
    """The catalogue page of ``folder``, with the models of this version of Eddyline."""
    from feature_store.catalogue_page import catalogue_page
    from ranker.lineage import BUILT_IN_MODELS, TRAINED_MODEL
    from ranker.registry.signature import SERVICE

    return catalogue_page(definitions(folder), {SERVICE: (TRAINED_MODEL, *BUILT_IN_MODELS)})


def _compare(output: Path, text: str) -> None:
    if not output.exists() or output.read_text() != text:
        typer.echo(f"{output} is not current: eddyline features catalogue --output {output}", err=True)
        raise typer.Exit(1)
