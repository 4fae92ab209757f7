"""`python -m benchmarks.run [NAME ...]`: measure, print, and keep the figures in `latest.json`."""

import signal
import sys

from rich.console import Console

from benchmarks import (
    backfill,
    capacity,
    detectors,
    footprint,
    freshness,
    instrumentation,
    learning,
    ranking,
    switches,
    throughput,
    training,
)
from benchmarks.report import keep, show

SUITES = {
    "throughput": throughput.measure,
    "freshness": freshness.measure,
    "ranking": ranking.measure,
    "instrumentation": instrumentation.measure,
    "switches": switches.measure,
    "backfill": backfill.measure,
    "capacity": capacity.measure,
    "footprint": footprint.measure,
    "training": training.measure,
    "learning": learning.measure,
    "detectors": detectors.measure,
}


def main(names: list[str]) -> int:
    """Run the suites named, or all; 1 if a target was missed."""
    # Ended from outside, a suite still stops the stack that it has started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    console = Console()
    if unknown := set(names) - set(SUITES):
        console.print(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
        return 2
    measured = []
    for name in names or SUITES:
        console.rule(name)
        figures = SUITES[name]()
        show(figures, console)
        keep(figures)
        measured += figures
    return 0 if all(figure.holds for figure in measured) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
