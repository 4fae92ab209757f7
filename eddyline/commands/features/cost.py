"""`eddyline features cost`: what definitions need in Redis, before they are deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eddyline.commands.features._definitions import definitions, folder_argument

app = typer.Typer()


@app.command()
def cost(
    folder: Annotated[Path | None, folder_argument] = None,
    entities: Annotated[int, typer.Option(min=1, help="Rows of each view.")] = 1_000_000,
    id_bytes: Annotated[int, typer.Option(min=1, max=257, help="Length of an entity's id.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:
    """Say what a set of definitions needs in Redis."""
    import json

    from feature_store.cost import costs

    found = costs(definitions(folder).views, id_bytes, entities)
    if as_json:
        rows = {one.view.name: {"row_bytes": one.row_bytes, "redis_bytes": one.redis_bytes} for one in found}
        typer.echo(json.dumps({"entities": entities, "id_bytes": id_bytes, "views": rows}))
        return
    title = f"Redis memory for {entities:,} entities of each view, ids of {id_bytes} bytes"
    table = Table("view", "features", "row bytes", "Redis bytes an entity", "MB", title=title)
    for one in found:
        megabytes = f"{one.redis_bytes * entities / 1e6:,.0f}"
        features = str(len(one.view.features))
        table.add_row(escape(one.view.name), features, str(one.row_bytes), str(one.redis_bytes), megabytes)
    total = sum(one.redis_bytes for one in found)
    table.add_section()
    table.add_row("all", "", "", str(total), f"{total * entities / 1e6:,.0f}")
    Console().print(table)
