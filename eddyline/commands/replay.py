"""`eddyline replay`: play a real log through the running stack."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer()
logs = typer.Typer(
    no_args_is_help=True, help="Play a real log through the running stack and judge the answers."
)
app.add_typer(logs, name="replay")


@logs.callback()
def replay() -> None:
    """Play a real log through the running stack and judge the answers."""


@logs.command()
def ranklens(
    path: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="RankLens events, JSON lines, plain or gzipped."),
    ],
    rate: Annotated[
        float | None, typer.Option(min=1, help="Events a second; as fast as possible without.")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Put before every id: a replay with state of its own.")] = "",
    free_running: Annotated[
        bool, typer.Option(help="Play it a second time, without waiting for rows, under ids of its own.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Play a RankLens log as it would have happened; print NDCG@10 of the answers and of simple orders.

    Items first, then moment after moment: a rank request for what each user was shown, sent when rows
    cover every earlier event, then the impressions and clicks.
    """
    import httpx
    from rich.markup import escape

    from eddyline.clients.events import NotDelivered
    from eddyline.clients.running import NoStack, running_stack
    from eddyline.replay.barrier import RowsBehind
    from eddyline.replay.items import ItemsUnknown
    from eddyline.replay.player import RankingFailed
    from eddyline.replay.ranklens import RankLensError
    from eddyline.replay.report import show, to_json
    from eddyline.replay.run import Options, Replay
    from eddyline.stack.state import StateFolderError
    from feature_store.settings import Settings

    console = Console(stderr=True)
    try:
        stack = running_stack(Settings().home)
        report = Replay(stack, Options(path, rate, namespace, free_running), console).run()
    except (
        httpx.HTTPError,
        ItemsUnknown,
        NoStack,
        NotDelivered,
        RankLensError,
        RankingFailed,
        RowsBehind,
        StateFolderError,
    ) as error:
        console.print(f"[red]eddyline:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(to_json(report)))
    else:
        show(report, Console())
