"""`eddyline verify`: prove on the log that what runs is right."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from eddyline.parity.verify import Report

app = typer.Typer()
verify = typer.Typer(no_args_is_help=True, help="Prove on the log that what runs is right.")
app.add_typer(verify, name="verify")

Messages = Annotated[
    int, typer.Option(min=1, help="Newest messages of each partition of rank.served to check.")
]


@verify.command()
def parity(
    messages: Messages = 1_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:
    """Fold the batch log again and compare with what was served, bit for bit; exits with 1 if they differ."""
    report = _verified(messages)
    if as_json:
        typer.echo(_json(report))
    else:
        _print(Console(soft_wrap=True), report)
    sys.exit(0 if report.holds else 1)


def _verified(messages: int) -> Report:
    from confluent_kafka import KafkaException

    from eddyline.clients.kafka import require_broker
    from eddyline.clients.stack_settings import of_the_stack
    from eddyline.parity.check import RetentionCutError
    from eddyline.parity.verify import NothingServedError, verify
    from feature_store.catalog import InvalidDefinition, load_catalog
    from ranker.service.settings import RankerSettings

    try:
        settings = of_the_stack(RankerSettings())
        require_broker(settings)
        return verify(settings, load_catalog(), messages)
    except (InvalidDefinition, KafkaException, NothingServedError, OSError, RetentionCutError) as error:
        typer.echo(f"eddyline: {error}", err=True)
        raise typer.Exit(2) from None


def _json(report: Report) -> str:
    import msgspec

    return msgspec.json.encode(report).decode()


def _print(console: Console, report: Report) -> None:
    rows = report.equal + report.different + report.unverified
    console.print(
        f"{report.requests} requests, {rows} rows of features: {report.equal} equal bit for bit, "
        f"{report.different} different, {report.unverified} whose row version the log does not have",
        highlight=False,
    )
    for feature, count in report.by_feature.most_common():
        console.print(f"  {escape(feature)}: {count} different", highlight=False)
    for one in report.differences:
        _line(
            console,
            f"  request {one.request_id}, item {one.item_id}, {one.feature}: served {one.served!r}, "
            f"the log gives {one.refolded!r}; from {', '.join(one.rows)}",
        )
    for missing in report.missing:
        _line(console, f"  {missing.row}: {missing.reason}")


def _line(console: Console, text: Any) -> None:
    console.print(escape(text), highlight=False)
