"""`eddyline lineage`: what feeds what, which loops that makes, and who reads without being declared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

if TYPE_CHECKING:
    from feature_store.lineage import Lineage, Node
    from feature_store.settings import Settings
    from streams.feedback.lineage import Loop, UndeclaredConsumer
    from streams.feedback.lineage_self_training import SelfTraining

app = typer.Typer()


@dataclass(frozen=True)
class _Observed:
    """What the broker shows; None where none was asked."""

    undeclared: list[UndeclaredConsumer] | None = None
    self_training: SelfTraining | None = None


@app.command()
def lineage(
    outside: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            envvar="EDDYLINE_LINEAGE_OUTSIDE",
            help="TOML of what systems outside read and write.",
        ),
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw it into this file.")] = None,
    kafka: Annotated[
        str | None, typer.Option(help="host:port of a broker to ask; default: that of the running stack.")
    ] = None,
    check: Annotated[
        bool, typer.Option(help="Exit with 1 on an undeclared consumer or a loop that nobody allowed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the declared lineage, its loops, and undeclared consumers of models' output."""
    from confluent_kafka import KafkaException

    from eddyline.commands._terminal import clear_errors
    from eddyline.lineage.declared import declared_lineage
    from feature_store.catalog import InvalidDefinition
    from feature_store.lineage import LineageError
    from ranker.policies.config import PolicyError
    from streams.feedback.lineage import loops
    from streams.feedback.lineage_svg import lineage_svg

    with clear_errors(InvalidDefinition, KafkaException, LineageError, OSError, PolicyError):
        declared = declared_lineage(outside)
        found, observed = loops(declared), _observe(declared, kafka)
        if svg is not None:
            svg.write_text(lineage_svg(declared))
    if as_json:
        typer.echo(json.dumps(_plain(declared, found, observed)))
    else:
        _show(Console(), declared, found, observed)
    if check and (observed.undeclared or not all(loop.allowed for loop in found)):
        raise typer.Exit(1)


def _observe(declared: Lineage, kafka: str | None) -> _Observed:
    settings = _settings(kafka)
    if settings is None:
        return _Observed()
    from eddyline.clients.kafka import require_broker
    from feature_store.exposure_log import read_exposures
    from ranker.lineage import TRAINED_MODEL
    from streams.feedback.lineage import undeclared_consumers
    from streams.feedback.lineage_broker import consumer_groups
    from streams.feedback.lineage_self_training import self_training

    require_broker(settings)
    return _Observed(
        undeclared_consumers(declared, consumer_groups(settings)),
        self_training(read_exposures(settings).exposures, TRAINED_MODEL),
    )


def _settings(kafka: str | None) -> Settings | None:
    """Of the broker named, else of the stack that runs, else None."""
    from eddyline.stack.state import read_state
    from feature_store.settings import Settings

    settings = Settings()
    state = read_state(settings.home.resolve())
    running = state.addresses.kafka if state is not None and state.supervised else None
    bootstrap = kafka or running
    return None if bootstrap is None else settings.model_copy(update={"kafka_bootstrap": bootstrap})


def _show(console: Console, declared: Lineage, found: list[Loop], observed: _Observed) -> None:
    console.print(_tree(declared))
    console.print(_loops_table(found))
    if observed.undeclared is None:
        console.print("no broker asked: no stack runs; --kafka names one", style="yellow")
        return
    if observed.undeclared:
        console.print(_undeclared_table(observed.undeclared))
    else:
        console.print("every consumer group that reads a model's output is declared")
    if (training := observed.self_training) is not None and training.share is not None:
        console.print(
            f"self-training share: {training.share:.3f}"
            f" ({training.caused} of {training.labels} labels were put there by the model that learns them)",
            highlight=False,
        )


def _tree(declared: Lineage) -> Tree:
    """What each node feeds, views in place of their features."""
    from streams.feedback.lineage import by_view

    tree = Tree("lineage")
    folded = by_view(declared)
    for node in folded.nodes:
        edges = [edge for edge in folded.edges if edge.source == node]
        if edges:
            branch = tree.add(f"[bold]{escape(str(node))}[/]{_columns(declared, node)}")
        for edge in edges:
            note = "" if edge.allowed_gain is None else f", gain up to {edge.allowed_gain:g}"
            branch.add(f"{escape(str(edge.target))} [dim]by {escape(edge.by)}{note}[/]")
    return tree


def _columns(declared: Lineage, node: Node) -> str:
    from feature_store.lineage import Kind

    if node.kind is not Kind.VIEW:
        return ""
    names = [each.name for each in declared.nodes if each.kind is Kind.FEATURE]
    mine = [name.removeprefix(f"{node.name}.") for name in names if name.startswith(f"{node.name}.")]
    return f" [dim]({escape(', '.join(mine))})[/]"


def _loops_table(found: list[Loop]) -> Table:
    table = Table("allowed gain", "loop", title=f"{len(found)} declared loops", title_justify="left")
    for loop in found:
        gain = "[red]none declared[/]" if loop.allowed_gain is None else f"up to {loop.allowed_gain:g}"
        table.add_row(gain, escape(" → ".join(map(str, loop.nodes))))
    return table


def _undeclared_table(consumers: list[UndeclaredConsumer]) -> Table:
    table = Table(
        "group", "reads", "decided by", "writes", "closes a loop",
        title="[red]undeclared consumers of models' output[/]", title_justify="left",
    )  # fmt: skip
    for found in consumers:
        writes = ", ".join(map(str, found.writes)) or "unknown"
        closes = {None: "unknown: declare it", True: "[red]yes[/]", False: "no"}[found.closes_loop]
        table.add_row(*map(escape, (found.group, found.topic, ", ".join(found.models), writes)), closes)
    return table


def _plain(declared: Lineage, found: list[Loop], observed: _Observed) -> dict[str, object]:
    consumers, training = observed.undeclared, observed.self_training
    return {
        "edges": [edge.to_json() for edge in declared.edges],
        "loops": [loop.to_json() for loop in found],
        "undeclared_consumers": None if consumers is None else [each.to_json() for each in consumers],
        "self_training": None if training is None else training.to_json(),
    }
