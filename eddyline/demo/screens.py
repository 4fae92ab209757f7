"""What the demo shows in the terminal."""

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from eddyline.demo.detectors import Look
from eddyline.demo.tally import Tally
from feature_store.schema.requests import RankedItem, RankResponse
from streams.deadletters import DeadLetter
from streams.simulator import World

_BAR = 20
_SPREAD = "_spread"


def live(
    phase: str, seconds: float, tally: Tally, lag: int, dead_letters: int, more: Sequence[tuple[str, str]]
) -> Panel:
    """The state of things, redrawn while traffic runs; ``more``: what this phase is about."""
    latency = tally.latency_recent()
    table = Table.grid(padding=(0, 3))
    table.add_row(
        "requests", f"{tally.requests:,}", "failed", str(tally.failed), "answered by", tally.serving
    )
    table.add_row(
        "events", f"{tally.events:,}", "to be ingested", f"{lag:,}", "dead letters", f"{dead_letters:,}"
    )
    table.add_row(
        "latency p50", f"{latency.p50:.1f} ms", "p95", f"{latency.p95:.1f} ms", "p99", f"{latency.p99:.1f} ms"
    )
    if more:
        table.add_row(*(text for pair in more for text in pair))
    return Panel(table, title=f"{phase}  {seconds:.0f} s", title_align="left")


def timeline(title: str, response: RankResponse, world: World) -> Table:
    """A simulated user's timeline, with the reason of each item and whether the user loves it."""
    loved = set(world.loved_genres(world.user_ids.index(response.user_id)))
    table = _timeline(title, response, ["title", "genres", ""])
    for ranked in response.items:
        item = world.index_of_item[ranked.item_id]
        genres = world.genres(item)
        mark = "[green]loved[/]" if loved.intersection(genres) else ""
        table.add_row(*_reason(ranked), world.title_of(item), " ".join(genres), mark)
    loves = f"{response.user_id} loves {' and '.join(sorted(loved))}, and nobody told the ranker"
    table.caption = f"{loves};\n{table.caption}"
    return table


def recorded_timeline(title: str, response: RankResponse, titles: Mapping[str, str]) -> Table:
    """The beginning of a timeline of a log, with the reason of each item."""
    table = _timeline(title, response, ["title"])
    for ranked in response.items[:10]:
        table.add_row(*_reason(ranked), escape(titles.get(ranked.item_id, ranked.item_id)))
    return table


def dead_letters(by_reason: Mapping[str, int], examples: Mapping[str, DeadLetter]) -> Table:
    """What was refused, and what its producer is told."""
    table = _table("dead letters", ["reason", "count", "field", "its producer is told"])
    for reason, number in sorted(by_reason.items(), key=lambda item: -item[1]):
        letter = examples[reason]
        table.add_row(reason, str(number), letter.field, escape(letter.message))
    return table


def models(tally: Tally) -> Table:
    """What each model achieved with the users."""
    table = _table(
        "before and after", ["model", "answers", "impressions", "CTR", "p50 ms", "p95 ms", "p99 ms"]
    )
    for model in tally.models():
        latency, shown = tally.latency_of(model), tally.impressions[model]
        table.add_row(
            model,
            f"{tally.answers[model]:,}",
            f"{shown:,}",
            f"{tally.ctr(model):.3f}" if shown else "",
            f"{latency.p50:.1f}",
            f"{latency.p95:.1f}",
            f"{latency.p99:.1f}",
        )
    return table


def evidence(looks: Sequence[Look], planted_s: float) -> Table:
    """How evidence for a loop grew, before it was planted and after."""
    table = _table("evidence for a loop", ["s", "", "verdict", "W", ""])
    for look in looks:
        bar = "█" * round(_BAR * min(max(look.evidence, 0.0) / max(look.page, 1.0), 2.0))
        when = "planted" if look.seconds > planted_s else "control"
        table.add_row(
            f"{look.seconds - planted_s:+.0f}",
            when,
            look.verdict,
            f"10^{look.evidence:.1f}",
            f"[red]{bar}[/]",
        )
    table.caption = f"a page at {'█' * _BAR}"
    table.caption_justify = "left"
    return table


def _timeline(title: str, response: RankResponse, more: Sequence[str]) -> Table:
    table = _table(title, ["", "score", "heads", "source", *more])
    table.caption = (
        f"answered by {response.model.name} {response.model.version} from features"
        f" {response.feature_service.name} {response.feature_service.fingerprint},"
        f" degraded: {', '.join(response.degraded) or 'nothing'}"
    )
    table.caption_justify = "left"
    return table


def _reason(ranked: RankedItem) -> tuple[str, str, str, str]:
    spread = {
        head.removesuffix(_SPREAD): value for head, value in ranked.heads.items() if head.endswith(_SPREAD)
    }
    heads = " ".join(
        f"{head} {value:.2f}" + (f"±{spread[head]:.2f}" if head in spread else "")
        for head, value in ranked.heads.items()
        if not head.endswith(_SPREAD)
    )
    return str(ranked.position), f"{ranked.score:.3f}", heads, ranked.source


def _table(title: str, columns: Sequence[str]) -> Table:
    return Table(*columns, title=title, title_justify="left", title_style="bold")
