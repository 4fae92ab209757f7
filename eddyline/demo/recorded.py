"""The demo with a RankLens log: played, learned from, and played on with the trained model."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from eddyline.clients.events import EventPublisher
from eddyline.clients.progress import event_progress
from eddyline.demo import screens
from eddyline.demo.stage import Stage
from eddyline.demo.traffic import WAVE, RepeatedWave, Traffic
from eddyline.replay.barrier import RowsBarrier
from eddyline.replay.items import ItemsBarrier
from eddyline.replay.moments import Moment, Script
from eddyline.replay.pace import Pace
from eddyline.replay.player import Played, Player
from eddyline.replay.ranklens import read_ranklens
from eddyline.replay.report import judge, quality_table
from eddyline.replay.run import barriers
from feature_store.schema.requests import RankRequest

_AGAIN_PER_S = 40.0
_LEARN_FROM = 0.8
"""Share of the rankings that is played before a model learns from them."""


class RecordedShow:
    """A log, as it would have happened: most of it to learn from, the rest with what was learned.

    Parameters
    ----------
    stage : where
    path : RankLens events
    settle_s : time after which the exposures of what was played are closed
    """

    def __init__(self, stage: Stage, path: Path, settle_s: float) -> None:
        self._stage = stage
        self._log = read_ranklens(path)
        self._settle_s = settle_s
        self._script = Script(self._log, stage.clock.now_ms() - self._log.last_time_ms)
        self._titles = {
            item.item_id: str(item.attributes.get("title", item.item_id)) for item in self._script.items
        }

    def play(self, ready: Callable[[], None], gone: Callable[[], bool]) -> None:
        """The whole show, once the stack is ``ready()``; then requests keep coming until ``gone()``."""
        ready()
        stage, script = self._stage, self._script
        stage.say(f"all times are shifted by {script.shift_ms} ms, so that the last event is now")
        first, rest = _split(list(script.moments()), int(len(self._log.rankings) * _LEARN_FROM))
        asked = [request for moment in first for request in moment.requests]
        with barriers(stage.stack, script) as (items, rows):
            self._announce(items)
            played = self._play("with counters", rows, first)
            with self._again(asked) as traffic:
                settled = stage.for_seconds(self._settle_s)
                stage.watch("exposures close, requests keep coming", traffic, settled)
                self._show("a timeline before", asked[-1])
                with stage.training() as training:
                    stage.swap(training, traffic)
                self._show("the same request after", asked[-1])
            played.responses += self._play("with the model", rows, rest).responses
        stage.console.print(quality_table(judge(self._log, {"our_answers": (script, played)})))
        stage.say("the last fifth was answered by the trained model, everything before by counters")
        stage.console.print(screens.models(stage.tally))
        stage.say_outcome()
        with self._again(asked) as traffic:
            stage.watch("requests keep coming", traffic, gone)

    def _announce(self, items: ItemsBarrier) -> None:
        publisher = EventPublisher(self._stage.stack.settings)
        publisher.publish(self._script.items)
        publisher.flush()
        self._stage.say(f"{items.wait():,} items known")

    def _play(self, title: str, rows: RowsBarrier, moments: Sequence[Moment]) -> Played:
        stage = self._stage
        with event_progress(stage.console) as progress:
            task = progress.add_task(title, total=sum(len(moment.events) for moment in moments))
            player = Player(
                EventPublisher(stage.stack.settings, rows.note),
                stage.ranker,
                Pace(None, stage.clock, time.sleep),
                lambda count: progress.advance(task, count),
            )
            return player.play(moments, rows.wait)

    @contextmanager
    def _again(self, asked: Sequence[RankRequest]) -> Iterator[Traffic]:
        wave = RepeatedWave(asked, self._stage.ranker, self._stage.tally)
        with Traffic(wave, _AGAIN_PER_S / WAVE, self._stage.clock) as traffic:
            yield traffic

    def _show(self, title: str, request: RankRequest) -> None:
        answer = self._stage.ranker.rank([request])[0]
        if answer.response is None:
            self._stage.say(f"no timeline for {request.user_id}: {answer.problem}")
        else:
            self._stage.console.print(screens.recorded_timeline(title, answer.response, self._titles))


def _split(moments: Sequence[Moment], rankings: int) -> tuple[Sequence[Moment], Sequence[Moment]]:
    """The moments of the first ``rankings`` rankings, and the others."""
    asked = 0
    for number, moment in enumerate(moments):
        asked += len(moment.requests)
        if asked > rankings:
            return moments[:number], moments[number:]
    return moments, []
