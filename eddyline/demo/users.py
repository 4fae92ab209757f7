"""The demo with simulated users: history, traffic, a model, what changed, and a loop that is found."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from eddyline.clients.events import EventPublisher
from eddyline.clients.progress import event_progress
from eddyline.demo import screens
from eddyline.demo.loop import LoopShow
from eddyline.demo.stage import Stage
from eddyline.demo.traffic import WAVE, Traffic, UserWave
from feature_store.schema.requests import RankRequest
from streams.simulator import Crowd, World, mishaps

_DAY_MS = 24 * 3_600_000
_CHUNK = 2_000


@dataclass(frozen=True)
class Scale:
    """How much happens: as much as is needed to see something, however long a machine takes for it.

    Attributes
    ----------
    items : in the catalogue
    history : organic impressions before the users come, spread over ``history_ms``
    before, after : users who meet the counters before a model learns, and then the trained model
    before_per_s, learning_per_s, after_per_s : users who ask for a timeline; few while a model learns, as it
        needs the processor, and nobody looks
    """

    items: int = 300
    history: int = 24_000
    history_ms: int = 3 * _DAY_MS
    before: int = 480
    after: int = 200
    before_per_s: float = 40.0
    learning_per_s: float = 8.0
    after_per_s: float = 20.0


class UserShow:
    """Simulated users meet a ranker that counts, and then one that has learned from them.

    Parameters
    ----------
    stage : where
    seed : of world, users and mishaps
    scale : how much
    """

    def __init__(self, stage: Stage, seed: int, scale: Scale) -> None:
        self._stage = stage
        self._seed = seed
        self._scale = scale
        self._world = World(seed, items=scale.items)
        self._crowd = Crowd(self._world, seed)
        self._publisher = EventPublisher(stage.stack.settings)
        self._loop = LoopShow(stage, self._world)
        self._looks = count()

    def play(self, ready: Callable[[], None], gone: Callable[[], bool]) -> None:
        """The whole show, in a stack of which only rows have to be ready; ``ready()`` waits for the rest.

        Then users keep coming until ``gone()``.
        """
        self._loop.hold_nudges()
        self._play_history()
        ready()
        stage, scale = self._stage, self._scale
        with (
            stage.training(scale.before) as training,
            Traffic(self._wave(), scale.before_per_s / WAVE, stage.clock) as traffic,
        ):
            stage.watch("users meet a ranker that only counts", traffic, stage.for_requests(scale.before))
            self._show_timeline("a timeline before")
            letters = stage.dead_letters
            stage.console.print(screens.dead_letters(letters.by_reason, letters.examples))
            traffic.pace(scale.learning_per_s / WAVE)
            stage.swap(training, traffic)
            traffic.pace(scale.after_per_s / WAVE)
            with self._loop.nudged():
                stage.watch("users meet the trained model", traffic, stage.for_requests(scale.after))
                self._show_timeline("the same user after")
                stage.console.print(screens.models(stage.tally))
                self._loop.play(traffic)
            stage.say_outcome()
            stage.watch("users keep coming", traffic, gone)
        self._publisher.flush()

    def _play_history(self) -> None:
        """Announce the items, publish some days of organic events, and see the rows follow."""
        stage, now_ms = self._stage, self._stage.clock.now_ms()
        history = self._crowd.history(self._scale.history, now_ms, self._scale.history_ms)
        events = [*self._world.item_events(now_ms), *history]
        began = time.perf_counter()
        with event_progress(stage.console) as progress:
            task = progress.add_task("history", total=len(events))
            for first in range(0, len(events), _CHUNK):
                self._publisher.publish(events[first : first + _CHUNK])
                progress.update(task, completed=min(first + _CHUNK, len(events)))
            self._publisher.flush()
        while not stage.drained():
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        stage.say(
            f"{len(events):,} events became rows in Redis within {seconds:.1f} s:"
            f" {len(events) / seconds:,.0f} events/s end to end, while the rest of the stack starts"
        )

    def _wave(self) -> UserWave:
        stage = self._stage
        wrong = mishaps(self._seed, stage.clock.now_ms())
        return UserWave(self._crowd, wrong, stage.ranker, self._publisher, stage.tally, stage.clock)

    def _show_timeline(self, title: str) -> None:
        user_id = self._world.user_ids[self._world.outsider]
        request = RankRequest(request_id=f"look-{next(self._looks)}", user_id=user_id, limit=8)
        answer = self._stage.ranker.rank([request])[0]
        if answer.response is None:
            self._stage.say(f"no timeline for {request.user_id}: {answer.problem}")
        else:
            self._stage.console.print(screens.timeline(title, answer.response, self._world))
