"""A Faust worker that appends each offset to a file, its checkpoint; dies where the script says.

Usage: ``python -m tests.integration.checkpointed_worker TOPIC JOURNAL HOW@OFFSET``, HOW being ``kill``
(SIGKILL before the message is processed), ``raise`` (the agent raises) or ``never``.
"""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import faust
from faust.types import TP
from prometheus_client import Gauge

from feature_store.clock import SystemClock
from feature_store.settings import Settings
from feature_store.telemetry.logs import configure_logging
from streams.apps.progress import ProgressWatch
from streams.apps.runtime import build_app, or_die, raw_topic, run_worker


class Journal:
    """What has been processed, one ``partition offset`` a line; restarts go on after the last ones."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.positions: dict[TP, int] | None = None

    async def start_offsets(self, assigned: frozenset[TP]) -> Mapping[TP, int]:
        lines = [tuple(map(int, line.split())) for line in self._path.read_text().splitlines()]
        self.positions = {
            tp: max((offset + 1 for partition, offset in lines if partition == tp.partition), default=0)
            for tp in assigned
        }
        return dict(self.positions)

    def append(self, tp: TP, offset: int) -> None:
        if offset < self.positions[tp]:
            return
        assert offset == self.positions[tp], (tp, offset, self.positions)
        with self._path.open("a") as file:
            file.write(f"{tp.partition} {offset}\n")
        self.positions[tp] = offset + 1


def main(topic: str, journal: Journal, how: str, at: int) -> None:
    settings, clock = Settings(), SystemClock()
    configure_logging("worker", "info")
    app = build_app("journal", settings, [topic], journal.start_offsets)

    async def process(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            if event.message.offset == at and how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if event.message.offset == at and how == "raise":
                raise ValueError(f"scripted at {at}")
            journal.append(event.message.tp, event.message.offset)

    @app.agent(raw_topic(app, topic), concurrency=1)
    async def agent(stream: faust.StreamT[bytes]) -> None:
        await or_die("processing", process(stream))

    watch = ProgressWatch(
        lambda: journal.positions, Gauge("lag_offsets", "Lag.", ["topic", "partition"]), clock
    )
    run_worker(app, settings, clock, watch=watch)


if __name__ == "__main__":
    main(
        sys.argv[1],
        Journal(Path(sys.argv[2])),
        *(f(x) for f, x in zip((str, int), sys.argv[3].split("@"), strict=True)),
    )
