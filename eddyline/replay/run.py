"""A whole replay of a RankLens log through a running stack."""

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from feature_store.catalog import load_catalog
from rich.console import Console

from eddyline.clients.dropped import DeadLetterWatch, duplicates
from eddyline.clients.events import EventPublisher
from eddyline.clients.progress import event_progress
from eddyline.clients.ranking import RankClient
from eddyline.clients.running import RunningStack
from eddyline.replay.barrier import Drained, KafkaOffsets, RowsBarrier
from eddyline.replay.moments import Script
from eddyline.replay.pace import Pace
from eddyline.replay.player import Played, Player
from eddyline.replay.ranklens import RankLensLog, read_ranklens
from eddyline.replay.report import Pass, Report, judge, summarise
from eddyline.replay.touched import TouchedRows
from feature_store.clock import SystemClock
from feature_store.online import online_store
from streams.ingest.settings import IngestSettings

PACED, FREE_RUNNING = "answers_at_that_moment", "free_running"
FREE_NAMESPACE = "free-running."
_PAUSE_S = 0.001


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
        RankLensError, RankingFailed, RowsBehind, NotDelivered
        """
        log = read_ranklens(self._options.path)
        shift_ms = self._clock.now_ms() - log.last_time_ms
        self._console.print(
            f"all times are shifted by {shift_ms} ms, so that the last event is now", highlight=False
        )
        before = duplicates(self._stack.ingest_metrics)
        with closing(DeadLetterWatch(self._stack.settings)) as dead_letters:
            played, passes = self._passes(log, shift_ms)
            dead_letters.look()
            dropped = duplicates(self._stack.ingest_metrics) - before
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
        settings = self._stack.settings
        with (
            closing(KafkaOffsets(settings, IngestSettings().ingest_group)) as offsets,
            closing(RankClient(self._stack.addresses.http)) as ranker,
            event_progress(self._console) as progress,
        ):
            task = progress.add_task(name.replace("_", " "), total=script.size)
            barrier = self._barrier(script, offsets)
            paced = name == PACED
            publisher = EventPublisher(settings, barrier.note if paced else None)
            pace = Pace(self._options.rate, self._clock, time.sleep)
            player = Player(publisher, ranker, pace, lambda count: progress.advance(task, count))
            return player.play(script, barrier.wait if paced else _at_once)

    def _barrier(self, script: Script, offsets: KafkaOffsets) -> RowsBarrier:
        settings, catalog = self._stack.settings, load_catalog()
        store = online_store(settings)
        creators = {item.item_id: item.creator_id for item in script.items if item.creator_id is not None}
        return RowsBarrier(
            TouchedRows(catalog, creators, settings.batch_partitions),
            store,
            catalog,
            Drained(offsets, store, catalog),
            self._clock,
            lambda: time.sleep(_PAUSE_S),
        )


def _at_once() -> None:
    """Nothing to wait for."""
