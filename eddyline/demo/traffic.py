"""Requests that keep coming, on a thread of their own, until told to stop."""

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count, cycle, islice

import msgspec

from eddyline.clients.events import EventPublisher
from eddyline.clients.ranking import RankClient
from eddyline.demo.tally import Tally
from feature_store.clock import Clock
from feature_store.schema.requests import RankRequest
from streams.simulator import Crowd

WAVE = 8
"""Requests at a time."""


class Traffic:
    """Calls ``wave`` at a pace; a wave that takes longer delays the next.

    Parameters
    ----------
    wave : sends some requests and counts what comes back
    waves_per_s : pace
    clock : its monotonic time is used
    """

    def __init__(self, wave: Callable[[], None], waves_per_s: float, clock: Clock) -> None:
        self._wave = wave
        self.pace(waves_per_s)
        self._clock = clock
        self._stopping = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Finish the wave."""
        self._stopping.set()
        self.join()

    def join(self) -> None:
        """Wait until the traffic has ended, which it does by itself only when a wave fails."""
        self._thread.join()

    def pace(self, waves_per_s: float) -> None:
        """Change the pace, from the wave after the next one on."""
        self._every_ns = int(1e9 / waves_per_s)

    def check(self) -> None:
        """Raise what ended the traffic, if anything did."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            due_ns = self._clock.monotonic_ns()
            while not self._stopping.wait(max(0, due_ns - self._clock.monotonic_ns()) / 1e9):
                self._wave()
                due_ns = max(due_ns + self._every_ns, self._clock.monotonic_ns())
        except Exception as error:  # noqa: BLE001  (raised again by whoever started the traffic)
            self._failure = error


class UserWave:
    """Some users come, see what the ranker answers, and react; one producer errs.

    Parameters
    ----------
    crowd : who they are
    mishaps : what goes wrong, a message a wave
    ranker, publisher : the stack's doors
    tally : counts everything
    clock : gives the events their times
    """

    def __init__(
        self,
        crowd: Crowd,
        mishaps: Iterator[tuple[bytes, str]],
        ranker: RankClient,
        publisher: EventPublisher,
        tally: Tally,
        clock: Clock,
    ) -> None:
        self._crowd = crowd
        self._mishaps = mishaps
        self._ranker = ranker
        self._publisher = publisher
        self._tally = tally
        self._clock = clock

    def __call__(self) -> None:
        """One wave."""
        visits = self._crowd.visits(WAVE, self._clock.now_ms())
        answers = self._ranker.rank(visits.requests)
        events = self._crowd.reactions(visits, [answer.response for answer in answers], self._clock.now_ms())
        self._publisher.publish(events)
        self._publisher.publish_bytes(*next(self._mishaps))
        self._tally.count(answers, events)


class RepeatedWave:
    """Asks again what was asked before, under new request ids; nobody looks at the answers.

    Parameters
    ----------
    requests : what was asked
    ranker : the stack's door
    tally : counts everything
    """

    def __init__(self, requests: Sequence[RankRequest], ranker: RankClient, tally: Tally) -> None:
        self._requests = cycle(requests)
        self._ranker = ranker
        self._tally = tally
        self._asked = count()

    def __call__(self) -> None:
        """One wave."""
        wave = [
            msgspec.structs.replace(request, request_id=f"again-{next(self._asked)}")
            for request in islice(self._requests, WAVE)
        ]
        self._tally.count(self._ranker.rank(wave), [])
