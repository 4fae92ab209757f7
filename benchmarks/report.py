"""Figures, as they are printed and as they are kept in `latest.json`."""

import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

LATEST = Path(__file__).with_name("latest.json")


@dataclass(frozen=True)
class Figure:
    """One measured value beside its baseline of the same run.

    ``target`` bounds the ratio where there is a baseline and ``bound_ratio``, else the value;
    ``at_least`` says from which side. No target: it holds. ``note`` says why a target is missed, and what was
    tried; it is kept while that is so.
    """

    name: str
    value: float
    unit: str
    baseline: str | None = None
    baseline_value: float | None = None
    target: float | None = None
    at_least: bool = True
    bound_ratio: bool = False
    note: str | None = None

    @property
    def ratio(self) -> float | None:
        """``value / baseline_value``."""
        return self.value / self.baseline_value if self.baseline_value else None

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        if self.target is None:
            return True
        measured = self.bounded
        if measured is None:
            return False
        return measured >= self.target if self.at_least else measured <= self.target

    @property
    def bounded(self) -> float | None:
        """What the target bounds."""
        return self.ratio if self.bound_ratio else self.value

    @property
    def missed(self) -> str | None:
        """By how much the target is missed, as a share of it; and why."""
        if self.holds or self.bounded is None or not self.target:
            return None
        return f"by {abs(self.bounded / self.target - 1):.0%}. {self.note or 'Nobody said why.'}"

    def as_json(self) -> dict[str, object]:
        """The published fields, and by what machine and commit."""
        kept = {k: v for k, v in asdict(self).items() if k not in {"at_least", "bound_ratio", "note"}}
        measured = {"ratio": self.ratio, "holds": self.holds, "bound": self.bound, "missed": self.missed}
        return {**kept, **measured, "machine": machine(), "commit": commit()}

    @property
    def bound(self) -> str | None:
        """The target in words."""
        if self.target is None:
            return None
        return f"{'ratio ' if self.bound_ratio else ''}{'>=' if self.at_least else '<='} {self.target:g}"


def machine() -> str:
    """Cores, memory and interpreter, enough to know what a figure is worth."""
    memory_gib = psutil.virtual_memory().total / 2**30
    python = f"Python {platform.python_version()}"
    return f"{psutil.cpu_count()} shared cores, {memory_gib:.0f} GiB, {platform.system()}, {python}"


def commit() -> str:
    """The commit that was measured, ``-dirty`` if it was not only that."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=LATEST.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def show(figures: Sequence[Figure], console: Console) -> None:
    """A table, failures in red."""
    table = Table(title=f"Benchmarks: {machine()}, {commit()}")
    for heading in ("figure", "value", "baseline", "its value", "ratio", "target", "holds"):
        table.add_column(heading, justify="left" if heading in {"figure", "baseline"} else "right")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.value:,.2f} {figure.unit}",
            figure.baseline or "",
            "" if figure.baseline_value is None else f"{figure.baseline_value:,.2f}",
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.bound or "",
            "[green]yes[/]" if figure.holds else "[red]no[/]",
        )
    console.print(table)
    for figure in figures:
        if figure.missed:
            console.print(f"[red]{figure.name}[/]: missed {figure.missed}")


def keep(figures: Sequence[Figure], path: Path = LATEST) -> None:
    """Replace the figures of the same names in ``path``, keep the others."""
    before = json.loads(path.read_text()) if path.exists() else []
    fresh = {figure.name: figure.as_json() for figure in figures}
    merged = [fresh.pop(row["name"], row) for row in before] + list(fresh.values())
    path.write_text(json.dumps(merged, indent=1) + "\n")
