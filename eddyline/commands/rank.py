"""`eddyline rank USER [ITEM …]`: a timeline, as any caller gets it over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eddyline.commands._http import ask, http_option

if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer()


@app.command()
def rank(
    user_id: Annotated[str, typer.Argument(help="Who asks.")],
    candidates: Annotated[
        list[str] | None, typer.Argument(help="Items to rank; none: recent and trending ones.")
    ] = None,
    surface: Annotated[str, typer.Option(help="Where the timeline is shown.")] = "home",
    limit: Annotated[int, typer.Option(min=0, help="Items wanted at most.")] = 20,
    http: Annotated[str | None, http_option] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as it came.")] = False,
) -> None:
    """Rank a timeline for a user."""
    request: dict[str, Any] = {
        "request_id": f"cli-{uuid.uuid4().hex}",
        "user_id": user_id,
        "surface": surface,
        "limit": limit,
    }
    if candidates:
        request["candidates"] = candidates
    answer = ask(http, "POST", "/v1/rank", request)
    if as_json:
        typer.echo(answer.text)
    else:
        _show(answer.json())


def _show(answer: Mapping[str, Any]) -> None:
    console = Console()
    model, service = answer["model"], answer["feature_service"]
    title = escape(f"{answer['surface']} of {answer['user_id']}")
    table = Table("", "item", "score", "heads", "source", title=title, title_justify="left")
    for item in answer["items"]:
        heads = "  ".join(f"{head} {value:.4f}" for head, value in item["heads"].items())
        row = (str(item["position"]), item["item_id"], f"{item['score']:.4f}", heads, item["source"])
        table.add_row(*map(escape, row))
    console.print(table)
    console.print(
        f"model {model['name'] or 'none'} {model['version']}, features {service['name']} "
        f"{service['fingerprint']}, {answer['latency_ms']} ms",
        highlight=False,
    )
    if answer["degraded"]:
        console.print(f"[yellow]degraded:[/] {escape(', '.join(answer['degraded']))}")
