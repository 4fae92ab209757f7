"""`eddyline loops scan LOG`: what a log of exposures shows of feedback, from wherever it comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

if TYPE_CHECKING:
    from streams.feedback.scan.exposure import Concentration, Trend
    from streams.feedback.scan.log import ExposureLog
    from streams.feedback.scan.report import ScanReport
    from streams.feedback.scan.values import RewardDifference, ValueLine

app = typer.Typer()


@app.command()
def scan(
    log: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV (also .gz) or .parquet.")],
    mapping: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="TOML: which column is what.")],
    against: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A second log, e.g. of uniform exposure."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the thinning and the uniform draws.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Report exposure concentration, its trend, and off-policy values of a log."""
    report = _scan(log, mapping, against, seed)
    if as_json:
        typer.echo(json.dumps(report.to_json()))
    else:
        _show(Console(), report)


def _scan(log: Path, mapping: Path, against: Path | None, seed: int) -> ScanReport:
    from eddyline.commands._terminal import clear_errors
    from streams.feedback.scan.log import LogError, read_log
    from streams.feedback.scan.mapping import MappingError, read_mapping
    from streams.feedback.scan.report import scan

    with clear_errors(LogError, MappingError, OSError):
        columns = read_mapping(mapping)
        logs: list[ExposureLog] = [read_log(path, columns) for path in (log, against) if path is not None]
        return scan(*logs, catalogue_size=columns.catalogue_size, timed=columns.time is not None, seed=seed)


def _show(console: Console, report: ScanReport) -> None:
    console.print(_concentration_table(report))
    if report.trend is not None:
        console.print(_trend_line(report.trend), highlight=False)
    console.print(_value_table(report.values))
    if report.difference is not None:
        console.print(_difference_line(report.difference), highlight=False)
    for note in report.notes:
        console.print(f"[yellow]note:[/] {escape(note)}", highlight=False)


def _concentration_table(report: ScanReport) -> Table:
    table = Table(
        "log", "rows", "items", "Gini", "Gini if uniform", "entropy", "top 10 %", "log10 e",
        Column("exposure", no_wrap=True),
        title="exposure", title_justify="left",
    )  # fmt: skip
    table.add_row("log", *_concentration_cells(report.concentration))
    if report.other is not None:
        table.add_row("other", *_concentration_cells(report.other))
    return table


def _concentration_cells(found: Concentration) -> tuple[str, ...]:
    low, high = found.uniform_gini
    return (
        str(found.rows),
        str(found.items),
        f"{found.gini:.3f}",
        f"{low:.3f} to {high:.3f}",
        f"{found.entropy:.3f}",
        f"{found.top_tenth:.3f}",
        f"{found.log10_e:.1f}",
        "[red]concentrated[/]" if found.concentrated else "as uniform",
    )


def _trend_line(trend: Trend) -> str:
    against = "uniform exposure" if trend.against == "uniform" else "the other log"
    verdict = "[red]growing[/]" if trend.growing else "no growth shown"
    return (
        f"trend: Gini above that of {against}: {trend.first_half:+.3f} in the first half,"
        f" {trend.second_half:+.3f} in the second; log10 e {trend.log10_e:.1f}: {verdict}"
    )


def _value_table(values: list[ValueLine]) -> Table:
    table = Table(
        "policy", "estimator", "reward per row", "99 % interval", "effective rows",
        title="values", title_justify="left",
    )  # fmt: skip
    for line in values:
        if line.value is None:
            table.add_row(line.policy, line.estimator, "refused", escape(line.refused), "")
            continue
        found = line.value
        interval = f"{found.low:.5f} to {found.high:.5f}"
        rows = f"{found.effective_sample_size:.0f}"
        table.add_row(line.policy, line.estimator, f"{found.value:.5f}", interval, rows)
    return table


def _difference_line(found: RewardDifference | str) -> str:
    if isinstance(found, str):
        return f"reward of the log less that of the other: refused: {escape(found)}"
    verdict = "[red]they differ[/]" if found.claimed else "no difference can be claimed"
    return (
        f"reward of the log less that of the other: {found.value:+.5f},"
        f" 99 % interval {found.low:+.5f} to {found.high:+.5f}: {verdict}"
    )
