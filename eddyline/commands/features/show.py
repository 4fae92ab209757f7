"""`eddyline features show ENTITY ID`, or without `show`: what a model would read of an entity now."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eddyline.commands._http import ask, http_option

app = typer.Typer()


@app.command()
def show(
    entity: Annotated[
        str, typer.Argument(help="item, user, creator, or a combination such as 'user|creator'.")
    ],
    entity_id: Annotated[str, typer.Argument(help="Its id; of a combination such as 'u1|c1'.")],
    http: Annotated[str | None, http_option] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as it came.")] = False,
) -> None:
    """Show the features of an entity, by name, as of now."""
    answer = ask(http, "GET", f"/v1/features/{quote(entity, safe='')}/{quote(entity_id, safe='')}")
    if as_json:
        typer.echo(answer.text)
        return
    found = answer.json()
    age = "nothing happened to it yet" if found["age_ms"] is None else f"{found['age_ms']} ms old"
    table = Table("feature", "value", title=escape(f"{entity} {entity_id}, {age}"), title_justify="left")
    for name, value in found["features"].items():
        table.add_row(escape(name), f"{value:g}")
    Console().print(table)
