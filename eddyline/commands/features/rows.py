"""`eddyline features rows`, `retire` and `forget`: the views that have rows, and an end to those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eddyline.commands.features._definitions import definitions
from eddyline.commands.features._rows import clear_errors

if TYPE_CHECKING:
    from feature_store.settings import Settings

app = typer.Typer()

_DAY_S = 24 * 3600


@app.command()
def rows() -> None:
    """List the views that have rows, those of older definitions too."""
    from feature_store.online.retirement import stored_views

    names = _names()
    with clear_errors():
        views = stored_views(_settings())
    table = Table("fingerprint", "view", "state")
    for stored in views:
        name = names.get(stored.fingerprint)
        state = "expiring" if stored.retired else "in use" if name else "not in the definitions"
        table.add_row(stored.fingerprint, escape(name or ""), state)
    Console().print(table)


@app.command()
def retire(
    fingerprint: Annotated[str, typer.Argument(help="Of a view that is in no definitions any more.")],
    ttl_s: Annotated[int, typer.Option(min=1, help="Seconds until its rows are gone.")] = _DAY_S,
) -> None:
    """Let the rows of a view that is folded no more expire."""
    from feature_store.online.retirement import retire, stored_views

    if name := _names().get(fingerprint):
        typer.echo(f"{fingerprint} is view {name} of the definitions: it is folded and read", err=True)
        raise typer.Exit(1)
    with clear_errors():
        settings = _settings()
        if fingerprint not in {stored.fingerprint for stored in stored_views(settings)}:
            typer.echo(
                f"there are no rows of {fingerprint}; `eddyline features rows` lists those there are",
                err=True,
            )
            raise typer.Exit(1)
        typer.echo(f"{retire(settings, fingerprint, ttl_s)} rows expire in {ttl_s} s")


@app.command()
def forget(
    fingerprint: Annotated[str, typer.Argument(help="Of a view whose rows are lost or doubted.")],
) -> None:
    """Remove the rows of a view; feature workers fold anew what the log still has, the rest is lost."""
    from feature_store.online.retirement import forget

    with clear_errors():
        typer.echo(f"{forget(_settings(), fingerprint)} rows removed; feature workers begin with the log")


def _names() -> dict[str, str]:
    """Fingerprint -> name of the views that are folded."""
    from feature_store.catalog import load_folded

    definitions(None)
    return {view.fingerprint: view.name for view in load_folded().views}


def _settings() -> Settings:
    from eddyline.clients.stack_settings import of_the_stack
    from feature_store.settings import Settings

    return of_the_stack(Settings())
