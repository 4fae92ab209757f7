"""A whole replay of a RankLens log through a running stack."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from eddyline.clients.dropped import DeadLetterWatch, duplicates
from eddyline.clients.events import EventPublisher
from eddyline.clients.progress import event_progress
from eddyline.clients.ranking import RankClient
from eddyline.clients.running import RunningStack
from eddyline.replay.barrier import Drained, KafkaOffsets, RowsBarrier
from eddyline.replay.items import ItemsBarrier
from eddyline.replay.moments import Script
from eddyline.replay.pace import Pace
from eddyline.replay.player import Played, Player
from eddyline.replay.ranklens import RankLensLog, read_ranklens
from eddyline.replay.report import Pass, Report, judge, summarise
from eddyline.replay.touched import TouchedRows
from feature_store.catalog import load_catalog
from feature_store.clock import SystemClock
from feature_store.online import online_store
from streams.ingest.settings import IngestSettings

PACED, FREE_RUNNING = "answers_at_that_moment", "free_running"
FREE_NAMESPACE = "free-running."
_PAUSE_S = 0.002


@dataclass(frozen=True)
class Options:
    """How to replay.

    Attributes
    ----------
    path : the log
    rate : events a second; None: as fast as the stack takes them
    namespace : put before every id
    free_running : whether to make the second pass, which does not wait for rows
    """

    path: Path
    rate: float | None = None
    namespace: str = ""
    free_running: bool = True


class Replay:
    """Plays one log, once or twice, and reports.

    Parameters
    ----------
    stack : where to play it
    options : how
    console : shows the progress
    """

    def __init__(self, stack: RunningStack, options: Options, console: Console) -> None:
        self._stack = stack
        self._options = options
        self._console = console
        self._clock = SystemClock()

    def run(self) -> Report:
        """Play and report.

        Raises
        ------
        RankLensError, RankingFailed, RowsBehind, ItemsUnknown, NotDelivered
        """
        log = read_ranklens(self._options.path)
        shift_ms = self._clock.now_ms() - log.last_time_ms
        self._console.print(
            f"all times are shifted by {shift_ms} ms, so that the last event is now", highlight=False
        )
        before = duplicates(self._stack.metrics_of("ingest"))
        with closing(DeadLetterWatch(self._stack.settings)) as dead_letters:
            played, passes = self._passes(log, shift_ms)
            dead_letters.look()
            dropped = duplicates(self._stack.metrics_of("ingest")) - before
        return Report(shift_ms, judge(log, played), passes, dropped, dict(dead_letters.by_reason))

    def _passes(
        self, log: RankLensLog, shift_ms: int
    ) -> tuple[dict[str, tuple[Script, Played]], dict[str, Pass]]:
        namespace = self._options.namespace
        scripts = {PACED: Script(log, shift_ms, namespace)}
        if self._options.free_running:
            scripts[FREE_RUNNING] = Script(log, shift_ms, namespace + FREE_NAMESPACE, attributed=False)
        played, passes = {}, {}
        for name, script in scripts.items():
            began = time.perf_counter()
            answers = self._play(name, script)
            played[name] = (script, answers)
            passes[name] = summarise(answers, script.size, time.perf_counter() - began)
        return played, passes

    def _play(self, name: str, script: Script) -> Played:
        settings, paced = self._stack.settings, name == PACED
        with (
            closing(RankClient(self._stack.addresses.http)) as ranker,
            barriers(self._stack, script) as (items, rows),
            event_progress(self._console) as progress,
        ):
            task = progress.add_task(name.replace("_", " "), total=script.size)
            publisher = EventPublisher(settings, rows.note if paced else None)
            pace = Pace(self._options.rate, self._clock, time.sleep)
            player = Player(publisher, ranker, pace, lambda count: progress.advance(task, count))
            player.announce(script.items)
            items.wait()
            return player.play(script.moments(), rows.wait if paced else _at_once)


@contextmanager
def barriers(stack: RunningStack, script: Script) -> Iterator[tuple[ItemsBarrier, RowsBarrier]]:
    """What to wait for when ``script`` is played on ``stack``: its items known, its rows up to date."""
    settings, catalog, store, clock = (
        stack.settings,
        load_catalog(),
        online_store(stack.settings),
        SystemClock(),
    )
    creators = {item.item_id: item.creator_id for item in script.items if item.creator_id is not None}
    touched = TouchedRows(catalog, creators, settings.batch_partitions)
    with closing(KafkaOffsets(settings, IngestSettings().ingest_group)) as offsets:
        drained = Drained(offsets, store, catalog)
        yield (
            ItemsBarrier(settings, stack.metrics_of("ranker"), drained, clock, _pause),
            RowsBarrier(touched, store, catalog, drained, clock, _pause),
        )


def _pause() -> None:
    time.sleep(_PAUSE_S)


def _at_once() -> None:
    """Nothing to wait for."""
