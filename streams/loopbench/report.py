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
    "CPU s / 10⁶",
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
_PLACES = ("world", "located right", "seeds with a false edge", "with all edges")
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


def as_table_of_contenders(rows: Sequence[BoardRow]) -> Table | None:
    """Seeds with an alarm, of the board (or who stands in for it) and of each contender; None without any."""
    names = contenders(rows)
    if not names:
        return None
    table = Table(
        Column("world", no_wrap=True),
        *(Column(name, overflow="fold") for name in ("ours", *names)),
        title="LoopBench: alarms beside what others would have watched",
        title_justify="left",
    )
    for row in rows:
        table.add_row(*_beside(row, names))
    return table


def contenders(rows: Sequence[BoardRow]) -> tuple[str, ...]:
    """Names of all that watched in some world and are not ours."""
    return _names(rows, contender=True)


def as_markdown(rows: Sequence[BoardRow]) -> str:
    """The board; of worlds with nudges every detector's figures, and what was estimated and located.

    Then, where there were contenders, their alarms in all worlds in which they have an input.
    """
    board = _markdown(_COLUMNS, [_cells(row) for row in rows])
    nudged = [row for row in rows if isinstance(row, WorldRow)]
    ours = _names(nudged, contender=False)
    by_detector = _markdown(("world", *ours), [_by_detector(row, ours) for row in nudged])
    estimates = _markdown(_ESTIMATES, [_estimated(row) for row in nudged])
    places = _markdown(_PLACES, [_placed(row) for row in nudged])
    return (
        f"{board}\n\nAlarms (`loop_detected`) and, in brackets, tickets of each detector, of all seeds:\n\n"
        f"{by_detector}\n\nEstimates, β after one epoch as the detectors weight it, and G:\n\n{estimates}\n\n"
        f"Places, given an alarm, and edges between models, at any time:\n\n{places}\n{_others(rows)}"
    )


def _names(rows: Sequence[BoardRow], *, contender: bool) -> tuple[str, ...]:
    found = (found for row in rows for found in row.detectors if found.contender is contender)
    return tuple(dict.fromkeys(each.detector for each in found))


def _others(rows: Sequence[BoardRow]) -> str:
    names = contenders(rows)
    if not names:
        return ""
    alarms = _markdown(("world", "ours", *names), [_beside(row, names) for row in rows])
    costs = _markdown(("world", "ours", *names), [_costs(row, names) for row in rows])
    return (
        f"\nSeeds with an alarm, ours and of what others would watch; blank where that has no input:\n\n"
        f"{alarms}\n\nCPU seconds per million events (of D5: retrains):\n\n{costs}\n"
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
        f"{row.cpu_s_per_million_events:.3g}",
    )


def _by_detector(row: WorldRow, names: Sequence[str]) -> tuple[str, ...]:
    found = _by_name(row)
    return (row.world, *(_counts(found.get(name)) for name in names))


def _counts(row: DetectorRow | None) -> str:
    return "" if row is None else f"{row.alarms} ({row.warnings})"


def _beside(row: BoardRow, names: Sequence[str]) -> tuple[str, ...]:
    found = _by_name(row)
    return (row.world, *(str(found[name].alarms) if name in found else "" for name in (row.detector, *names)))


def _costs(row: BoardRow, names: Sequence[str]) -> tuple[str, ...]:
    found = _by_name(row)
    costs = (
        found[name].cpu_s_per_million_events if name in found else None for name in (row.detector, *names)
    )
    return (row.world, *("" if cost is None else f"{cost:.2g}" for cost in costs))


def _by_name(row: BoardRow) -> dict[str, DetectorRow]:
    return {detector.detector: detector for detector in row.detectors}


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
    return (row.world, located, *edges)


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
