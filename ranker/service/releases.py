"""Which version rankers serve: the champion, or, where deploy times are drawn, it from its moment on."""

from collections.abc import Callable
from contextlib import ExitStack

from feature_store.clock import Clock
from feature_store.online.switches import SwitchStore, open_switches
from feature_store.schema.assignments import DEPLOYS
from feature_store.schema.requests import Assignment
from ranker.experiments.deploys import DeployTimes
from ranker.experiments.settings import ExperimentSettings
from ranker.registry.connect import open_registry
from ranker.registry.hold import Hold, Known, hold_of_switch, loop_hold
from ranker.registry.hold_watcher import HoldWatcher
from ranker.registry.models import ModelMetadata, ServedModel
from ranker.registry.registry import ModelRegistry
from ranker.registry.watcher import ChampionWatcher
from ranker.triton.base import InferenceClient

_SWITCH_TIMEOUT_MS = 200


class DrawnReleases:
    """Takes a promoted version over at the moment drawn for the period after the one of its promotion.

    What serves is a function of the history of the champion, the salt and the time: every ranker, and the
    panel, knows the same. Whether a version is due is decided before the period begins, by nothing that the
    drawn moment could have moved. Going back waits for nothing; nor does anything while the switch is off.

    While training is held no moment comes: nothing is due in a period that begins then, and what was due
    waits on, though requests log its moment to the end of the period. When the hold ends, what has missed its
    moment serves at once. A moment counts once it is known that no hold was logged before it, so that all
    agree, however late each of them learns of a hold.

    Parameters
    ----------
    switches : read at every turn
    loops : what is known of open loops, from memory
    """

    def __init__(
        self,
        registry: ModelRegistry,
        times: DeployTimes,
        switches: SwitchStore,
        loops: Callable[[], Known],
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._times = times
        self._switches = switches
        self._loops = loops
        self._clock = clock
        self._hold: Hold | None = None
        self._counted_ms = 0
        self._period = -1
        self._begun_held = False
        self._assignment: Assignment | None = None
        self._last: ModelMetadata | None = None
        self._waiting: ServedModel | None = None

    def champion(self) -> ModelMetadata | None:
        """What is to be served now.

        Raises
        ------
        RegistryError, ConnectionError
            The registry or the switches cannot be read.
        """
        now_ms, champion = self._clock.now_ms(), self._registry.resolve("champion")
        off = self._switches.read()
        loops = self._loops()
        holds = [hold for hold in (hold_of_switch(off), loops.hold) if hold is not None]
        counted_ms = self._count_moments(
            min(now_ms, loops.as_of_ms), min(holds, key=lambda hold: hold.since_ms, default=None)
        )
        if DEPLOYS in off:
            self._period, self._assignment, self._last = -1, None, champion
        else:
            self._draw(self._times.calendar.period(now_ms), counted_ms)
            # A version that serves already, since nothing was drawn then, is not taken back.
            if champion != self._last:
                self._last = self._registry.champion_at(self._times.taken_ms(counted_ms), now_ms)
        self._waiting = champion.served if champion is not None and champion != self._last else None
        return self._last

    def waiting(self) -> ServedModel | None:
        """The version that was promoted and waits for its moment; None: there is none. From memory."""
        return self._waiting

    def held(self) -> bool:
        """Whether no moment comes. From memory."""
        return self._hold is not None

    def drawn(self, now_ms: int) -> Assignment | None:
        """What a request that comes at ``now_ms`` logs; None while it is not known. From memory."""
        known = self._times.calendar.period(now_ms) == self._period
        return self._assignment if known else None

    def _count_moments(self, known_ms: int, hold: Hold | None) -> int:
        """Until when moments count: until ``known_ms``, or until the hold began that goes on."""
        if hold is None:
            self._counted_ms = max(self._counted_ms, known_ms)
        elif self._hold is None:
            self._counted_ms = max(self._counted_ms, min(known_ms, hold.since_ms))
        self._hold = hold
        return self._counted_ms

    def _draw(self, period: int, counted_ms: int) -> None:
        """Find out whether a version is due in ``period``: the one that is champion as it begins, or none.

        A period that began held has nothing due.
        """
        begin_ms = self._times.calendar.begin_ms(period)
        if period != self._period:
            self._begun_held = counted_ms < begin_ms
            if self._begun_held and self._hold is None:  # whether it did is not known yet
                self._period, self._assignment = -1, None
                return
        before_ms = self._times.calendar.begin_ms(period - 1)
        present = self._registry.champion_at(begin_ms, begin_ms)
        due = not self._begun_held and present != self._registry.champion_at(before_ms, begin_ms)
        self._period, self._assignment = period, self._times.assignment(period, due=due)


def open_releases(settings: ExperimentSettings, clock: Clock, stack: ExitStack) -> DrawnReleases | None:
    """Where the settings have deploy times drawn; None: the champion serves at once. ``stack`` ends it."""
    if not settings.deploy_slots:
        return None
    loops = HoldWatcher(loop_hold(settings), clock)
    loops.start()
    stack.callback(loops.close)
    times = DeployTimes(settings.deploy_salt.get_secret_value().encode(), settings.deploy_calendar)
    switches = open_switches(settings, _SWITCH_TIMEOUT_MS)
    return DrawnReleases(open_registry(settings, clock), times, switches, lambda: loops.known, clock)


def open_watcher(
    settings: ExperimentSettings,
    client: InferenceClient,
    fingerprint: str,
    clock: Clock,
    stack: ExitStack,
    *,
    pinned: str | None,
    releases: DrawnReleases | None = None,
) -> ChampionWatcher:
    """Follow ``pinned``, or the champion if there is none, as it is released; ``stack`` ends it."""
    watcher = ChampionWatcher(
        open_registry(settings, clock),
        client,
        fingerprint,
        pinned=pinned,
        champion=releases.champion if releases is not None else None,
    )
    watcher.start()
    stack.callback(watcher.close)
    return watcher
