"""What a replay found out, for people and for programs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from eddyline.replay.baselines import Orders, by_counting, by_popularity, clicked, displayed
from eddyline.replay.moments import Script
from eddyline.replay.player import Played
from eddyline.replay.quality import Quality, quality
from eddyline.replay.ranklens import RankLensLog


@dataclass(frozen=True)
class Pass:
    """How one pass over the log went.

    Attributes
    ----------
    events, seconds, events_per_s : what was published, in how long
    requests : how many rankings were asked for
    latency_ms_p50, latency_ms_p95, latency_ms_p99 : of a request, on this side of the connection
    degraded : note -> answers that carry it
    models : model and version -> answers made by it
    """

    events: int
    seconds: float
    events_per_s: float
    requests: int
    latency_ms_p50: float
    latency_ms_p95: float
    latency_ms_p99: float
    degraded: Mapping[str, int]
    models: Mapping[str, int]


@dataclass(frozen=True)
class Report:
    """Everything a replay has to say; ``quality`` is NDCG@10 by name of the order."""

    shift_ms: int
    quality: Mapping[str, Quality]
    passes: Mapping[str, Pass]
    duplicates: int
    dead_letters: Mapping[str, int]


def judge(log: RankLensLog, answers: Mapping[str, tuple[Script, Played]]) -> dict[str, Quality]:
    """Quality of the orders that need no ranker, and of the answers of each pass."""
    clicks = clicked(log)
    orders = {
        "displayed": displayed(log),
        "popularity": by_popularity(log),
        "counted_in_the_log": by_counting(log),
        **{name: _orders(script, played) for name, (script, played) in answers.items()},
    }
    return {name: quality(order, clicks) for name, order in orders.items()}


def summarise(played: Played, events: int, seconds: float) -> Pass:
    """The figures of one pass."""
    p50, p95, p99 = np.percentile(played.latency_ms, [50, 95, 99]).round(3).tolist()
    notes = [note for response in played.responses for note in response.degraded]
    models = [f"{response.model.name} {response.model.version}" for response in played.responses]
    return Pass(
        events=events,
        seconds=round(seconds, 3),
        events_per_s=round(events / seconds, 1),
        requests=len(played.responses),
        latency_ms_p50=p50,
        latency_ms_p95=p95,
        latency_ms_p99=p99,
        degraded={note: notes.count(note) for note in sorted(set(notes))},
        models={model: models.count(model) for model in sorted(set(models))},
    )


def to_json(report: Report) -> dict[str, object]:
    """The report as plain data."""
    return asdict(report)


def show(report: Report, console: Console) -> None:
    """Print the report as tables."""
    console.print(quality_table(report.quality))
    console.print(_pass_table(report.passes))
    letters = sum(report.dead_letters.values())
    reasons = "".join(f", {reason} {count}" for reason, count in report.dead_letters.items())
    console.print(
        f"meanwhile ingest wrote {letters} dead letters{reasons} and dropped {report.duplicates} duplicates",
        highlight=False,
    )
    if report.duplicates:
        console.print(
            "[yellow]If duplicates are events of this log, the stack had seen them before, and answers know"
            " what came after them.[/] Use a fresh stack or another --namespace for figures to keep."
        )


def quality_table(qualities: Mapping[str, Quality]) -> Table:
    """NDCG@10 by name of the order."""
    table = Table("NDCG@10", "all", "rankings", "last fifth", "rankings")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, one in qualities.items():
        table.add_row(
            name.replace("_", " "),
            f"{one.ndcg_all:.4f}",
            str(one.rankings_all),
            f"{one.ndcg_last_fifth:.4f}",
            str(one.rankings_last_fifth),
        )
    return table


def _orders(script: Script, played: Played) -> Orders:
    cut = len(script.namespace)
    return [[ranked.item_id[cut:] for ranked in response.items] for response in played.responses]


def _pass_table(passes: Mapping[str, Pass]) -> Table:
    table = Table(
        "pass", "events", "seconds", "events/s", "requests", "p50 ms", "p95 ms", "p99 ms", "degraded"
    )
    for name, one in passes.items():
        table.add_row(
            name.replace("_", " "),
            f"{one.events:,}",
            f"{one.seconds:.1f}",
            f"{one.events_per_s:,.0f}",
            f"{one.requests:,}",
            f"{one.latency_ms_p50:.1f}",
            f"{one.latency_ms_p95:.1f}",
            f"{one.latency_ms_p99:.1f}",
            ", ".join(f"{note} {count}" for note, count in one.degraded.items()) or "none",
        )
    return table
