"""The board for people: at a terminal, and as Markdown."""

from collections.abc import Sequence

from rich.table import Table

from streams.loopbench.results import DetectorRow, WorldRow

_COLUMNS = ("world", "β", "δ", "events", "alarms", "promised", "events to alarm", "95 % interval", "CTR cost")
_AT_A_TERMINAL = 7
_ALARMS = 4


def as_table(rows: Sequence[WorldRow]) -> Table:
    """The fused board's figures, a row a world; worlds without a loop have no β."""
    table = Table(
        *_COLUMNS[:_AT_A_TERMINAL], title="LoopBench: alarms of the fused board", title_justify="left"
    )
    for row in rows:
        cells = list(_cells(row)[:_AT_A_TERMINAL])
        colour = {True: "green", False: "red", None: "default"}[row.holds]
        cells[_ALARMS] = f"[{colour}]{cells[_ALARMS]}[/]"
        table.add_row(*cells)
    return table


def as_markdown(rows: Sequence[WorldRow]) -> str:
    """The board, every detector's figures, and what was estimated and located."""
    board = _markdown(_COLUMNS, [_cells(row) for row in rows])
    names = tuple(dict.fromkeys(found.detector for row in rows for found in row.detectors))
    by_detector = _markdown(("world", *names), [_by_detector(row, names) for row in rows])
    heads = (
        "world",
        "β as estimated",
        "median estimate",
        "within ±20 %",
        "coverage",
        "located right",
        "CPU s / 10⁶",
    )
    estimates = _markdown(heads, [_estimated(row) for row in rows])
    return (
        f"{board}\n\nAlarms (`loop_detected`) and, in brackets, tickets of each detector, of all seeds:\n\n"
        f"{by_detector}\n\nEstimates and places:\n\n{estimates}\n"
    )


def _cells(row: WorldRow) -> tuple[str, ...]:
    promised = "≤ .01" if not row.loop else "" if row.target_power is None else f"≥ {row.target_power:g}"
    return (
        row.world,
        f"{row.beta:.4f}" if row.loop else "",
        f"{row.delta:g}",
        f"{row.events / 1e6:g} M",
        f"{row.alarms}/{row.seeds}",
        promised,
        _events(row.events_to_alarm_p50),
        f"{row.power_low:.4f}-{row.power_high:.4f}",
        f"{row.engagement_cost:.2%}",
    )


def _by_detector(row: WorldRow, names: Sequence[str]) -> tuple[str, ...]:
    found = {detector.detector: detector for detector in row.detectors}
    return (row.world, *(_counts(found.get(name)) for name in names))


def _counts(row: DetectorRow | None) -> str:
    return "" if row is None else f"{row.alarms} ({row.warnings})"


def _estimated(row: WorldRow) -> tuple[str, ...]:
    located = ", ".join(f"{what} {share:.3f}" for what, share in row.located.items())
    return (
        row.world,
        f"{row.beta_as_estimated:.4f}",
        f"{row.beta_estimate_p50:.4f}",
        "" if row.beta_close is None else f"{row.beta_close:.3f}",
        f"{row.coverage:.3f}",
        located,
        f"{row.cpu_s_per_million_events:.3f}",
    )


def _events(count: float | None) -> str:
    return "" if count is None else f"{count / 1e3:.0f} k"


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
