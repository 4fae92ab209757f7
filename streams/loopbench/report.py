"""The board for people: at a terminal, and as Markdown."""

from collections.abc import Sequence

from rich.table import Column, Table

from streams.loopbench.results import BoardRow, DetectorRow, WorldRow

_COLUMNS = (
    "world",
    "β",
    "δ",
    "events",
    "alarms",
    "promised",
    "events to alarm",
    "95 % interval",
    "CTR cost",
    "detector",
)
_ESTIMATES = (
    "world",
    "β after 1",
    "median estimate",
    "within ±20 %",
    "coverage",
    "G",
    "estimate",
    "coverage",
)
_PLACES = ("world", "located right", "seeds with a false edge", "with all edges", "CPU s / 10⁶")
_AT_A_TERMINAL = 7
_BETA, _ALARMS = 1, 4


def as_table(rows: Sequence[BoardRow]) -> Table:
    """A row a world; β and δ where items are nudged."""
    table = Table(
        Column("world", no_wrap=True),
        *_COLUMNS[1:_AT_A_TERMINAL],
        title="LoopBench: alarms",
        title_justify="left",
    )
    for row in rows:
        cells = list(_cells(row)[:_AT_A_TERMINAL])
        cells[_BETA] = "" if row.beta is None else cells[_BETA]
        colour = {True: "green", False: "red", None: "default"}[row.holds]
        cells[_ALARMS] = f"[{colour}]{cells[_ALARMS]}[/]"
        table.add_row(*cells)
    return table


def as_markdown(rows: Sequence[BoardRow]) -> str:
    """The board; of worlds with nudges every detector's figures, and what was estimated and located."""
    board = _markdown(_COLUMNS, [_cells(row) for row in rows])
    nudged = [row for row in rows if isinstance(row, WorldRow)]
    names = tuple(dict.fromkeys(found.detector for row in nudged for found in row.detectors))
    by_detector = _markdown(("world", *names), [_by_detector(row, names) for row in nudged])
    estimates = _markdown(_ESTIMATES, [_estimated(row) for row in nudged])
    places = _markdown(_PLACES, [_placed(row) for row in nudged])
    return (
        f"{board}\n\nAlarms (`loop_detected`) and, in brackets, tickets of each detector, of all seeds:\n\n"
        f"{by_detector}\n\nEstimates, β after one epoch as the detectors weight it, and G:\n\n{estimates}\n\n"
        f"Places, given an alarm, and edges between models, at any time:\n\n{places}\n"
    )


def _cells(row: BoardRow) -> tuple[str, ...]:
    promised = "≤ .01" if not row.loop else "" if row.target_power is None else f"≥ {row.target_power:g}"
    return (
        row.world,
        f"{row.beta:.4f}" if row.loop and row.beta is not None else row.strength,
        "" if row.delta is None else f"{row.delta:g}",
        _events(row.events),
        f"{row.alarms}/{row.seeds}",
        promised,
        "" if row.events_to_alarm_p50 is None else _events(row.events_to_alarm_p50),
        f"{row.power_low:.4f}-{row.power_high:.4f}",
        f"{row.engagement_cost:.2%}" if isinstance(row, WorldRow) else "",
        row.detector,
    )


def _by_detector(row: WorldRow, names: Sequence[str]) -> tuple[str, ...]:
    found = {detector.detector: detector for detector in row.detectors}
    return (row.world, *(_counts(found.get(name)) for name in names))


def _counts(row: DetectorRow | None) -> str:
    return "" if row is None else f"{row.alarms} ({row.warnings})"


def _estimated(row: WorldRow) -> tuple[str, ...]:
    return (
        row.world,
        f"{row.beta_as_estimated:.4f}",
        f"{row.beta_estimate_p50:.4f}",
        _number(row.beta_close, 3),
        f"{row.coverage:.3f}",
        _number(row.gain, 4),
        _number(row.gain_estimate_p50, 4),
        _number(row.gain_coverage, 3),
    )


def _placed(row: WorldRow) -> tuple[str, ...]:
    located = ", ".join(f"{what} {share:.3f}" for what, share in row.located.items())
    edges = _number(row.false_edges, 3), _number(row.all_edges, 3)
    return (row.world, located, *edges, f"{row.cpu_s_per_million_events:.3f}")


def _number(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}"


def _events(count: float) -> str:
    """Impressions in millions or thousands; retrains as they are."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:g}"


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
