"""`eddyline deadletters list|replay`: what was refused and why, and sending it again."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from feature_store.settings import Settings
    from streams.deadletters import DeadLetter, Replayed

app = typer.Typer()
group = typer.Typer(no_args_is_help=True, help="Events that were refused, with their reasons.")
app.add_typer(group, name="deadletters")

Kafka = Annotated[str | None, typer.Option(help="host:port of a broker; default: EDDYLINE_KAFKA_BOOTSTRAP.")]
Reason = Annotated[str | None, typer.Option(help="Only those refused for this reason.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@group.command("list")
def list_(
    kafka: Kafka = None,
    reason: Reason = None,
    limit: Annotated[int, typer.Option(min=0, help="Show this many of the newest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by reason and show the newest."""
    from streams.deadletters import read_dead_letters

    with _at_broker(kafka) as settings:
        letters = list(read_dead_letters(settings, reason))
    counts = _counts(letters)
    newest = sorted(letters, key=lambda letter: letter.time_ms)[-limit:] if limit else []
    if as_json:
        shown = [letter.summary() for letter in newest]
        typer.echo(json.dumps({"counts": counts, "total": len(letters), "newest": shown}))
    else:
        _show(counts, newest)


@group.command()
def replay(
    kafka: Kafka = None,
    reason: Reason = None,
    everything: Annotated[bool, typer.Option("--all", help="Replay whatever the reason.")] = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Also what an earlier replay sent. An event that was taken then counts twice now, unless it "
            "is among the last EDDYLINE_INGEST_DUPLICATE_WINDOW of its partition.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters to `events` again, as they arrived; those that are still refused come back.

    Each letter is sent once: Kafka remembers how far each reason was replayed.
    What was interrupted can be repeated. It sends at most 10 000 letters twice;
    ingest drops these as duplicates, unless EDDYLINE_INGEST_DUPLICATE_WINDOW
    other events came to their partition meanwhile. So it is with two replays
    at the same time.
    """
    if (reason is None) != everything:
        raise typer.BadParameter("say either --reason REASON or --all")
    from feature_store.gapless import GaplessProducer
    from streams.deadletters import KafkaPositions, read_dead_letters, replay_dead_letters

    with _at_broker(kafka) as settings:
        events = GaplessProducer(settings, waiting=lambda: None, log_level=3)
        letters = read_dead_letters(settings, reason)
        replayed = replay_dead_letters(letters, events, KafkaPositions(settings), again=again)
    if as_json:
        _tell_json(replayed)
    else:
        _tell(replayed)


def _tell_json(replayed: Replayed) -> None:
    left_out = {
        "left_out_replayed_before": replayed.before,
        "left_out_repeated": replayed.repeated,
        "left_out_truncated": replayed.truncated,
    }
    typer.echo(json.dumps({"replayed": replayed.sent, **left_out}))


def _tell(replayed: Replayed) -> None:
    typer.echo(f"{replayed.sent} dead letters sent to events again")
    why = {
        "sent by an earlier replay; --again sends them once more": replayed.before,
        "the same event as another one, which was refused again": replayed.repeated,
        "too large to have been kept as a whole": replayed.truncated,
    }
    for reason, count in why.items():
        if count:
            typer.echo(f"{count} left out: {reason}")


@contextmanager
def _at_broker(kafka: str | None) -> Iterator[Settings]:
    """Settings of the broker named, else of the stack that runs in `EDDYLINE_HOME`, else of the environment.

    A broker that does not answer, then or later, ends in one message and exit status 1.
    """
    from confluent_kafka import KafkaException

    from eddyline.clients.kafka import NoBroker, require_broker
    from eddyline.clients.stack_settings import of_the_stack
    from eddyline.commands._terminal import clear_errors
    from feature_store.settings import Settings

    with clear_errors(KafkaException, NoBroker):
        settings = of_the_stack(Settings())
        if kafka is not None:
            settings = settings.model_copy(update={"kafka_bootstrap": kafka})
        require_broker(settings)
        yield settings


def _counts(letters: Sequence[DeadLetter]) -> dict[str, int]:
    counts = Counter(letter.reason for letter in letters)
    return dict(counts.most_common())


def _show(counts: dict[str, int], newest: Sequence[DeadLetter]) -> None:
    console = Console()
    totals = Table("reason", "dead letters", title="by reason")
    for reason, count in counts.items():
        totals.add_row(reason, str(count))
    console.print(totals)
    table = Table("source", "reason", "field", "message", "event", title="newest")
    for letter in newest:
        source = f"{letter.source_partition}:{letter.source_offset}"
        beginning = (letter.value or b"")[:80].decode(errors="replace")
        table.add_row(source, *map(escape, (letter.reason, letter.field, letter.message, beginning)))
    console.print(table)
