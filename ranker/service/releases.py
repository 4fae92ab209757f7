"""Which version rankers serve: the champion, or, where deploy times are drawn, it from its moment on."""

from contextlib import ExitStack

from feature_store.clock import Clock
from feature_store.online.switches import SwitchStore, open_switches
from feature_store.schema.requests import Assignment
from ranker.experiments.deploys import DeployTimes
from ranker.experiments.draw import DEPLOYS
from ranker.experiments.settings import ExperimentSettings
from ranker.registry.connect import open_registry
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

    Parameters
    ----------
    switches : read at every turn
    """

    def __init__(
        self, registry: ModelRegistry, times: DeployTimes, switches: SwitchStore, clock: Clock
    ) -> None:
        self._registry = registry
        self._times = times
        self._switches = switches
        self._clock = clock
        self._period = -1
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
        if DEPLOYS in self._switches.read():
            self._assignment, self._last = None, champion
        else:
            self._draw(self._times.calendar.period(now_ms))
            # A version that serves already, since nothing was drawn then, is not taken back.
            if champion != self._last:
                self._last = self._registry.champion_at(self._times.taken_ms(now_ms), now_ms)
        self._waiting = champion.served if champion is not None and champion != self._last else None
        return self._last

    def waiting(self) -> ServedModel | None:
        """The version that was promoted and waits for its moment; None: there is none. From memory."""
        return self._waiting

    def drawn(self, now_ms: int) -> Assignment | None:
        """What a request that comes at ``now_ms`` logs; None while it is not known. From memory."""
        known = self._times.calendar.period(now_ms) == self._period
        return self._assignment if known else None

    def _draw(self, period: int) -> None:
        """Find out whether a version is due in ``period``: the one that is champion as it begins, or none."""
        begin_ms = self._times.calendar.begin_ms(period)
        before_ms = self._times.calendar.begin_ms(period - 1)
        present = self._registry.champion_at(begin_ms, begin_ms)
        due = present != self._registry.champion_at(before_ms, begin_ms)
        self._period, self._assignment = period, self._times.assignment(period, due=due)


def open_releases(settings: ExperimentSettings, clock: Clock) -> DrawnReleases | None:
    """Where the settings have deploy times drawn; None: the champion serves at once."""
    if not settings.deploy_slots:
        return None
    times = DeployTimes(settings.deploy_salt.get_secret_value().encode(), settings.deploy_calendar)
    return DrawnReleases(
        open_registry(settings, clock), times, open_switches(settings, _SWITCH_TIMEOUT_MS), clock
    )


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
