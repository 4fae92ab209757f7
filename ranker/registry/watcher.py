"""Which model to serve now: follows the champion in the background and never blocks a request."""

from collections.abc import Callable
from functools import partial
from threading import Event, Thread
from typing import Protocol

import structlog

from ranker.registry.models import ModelMetadata, RegistryError, ServedModel, need_features
from ranker.registry.registry import COUNTERS, ModelRegistry

_log = structlog.get_logger()


class ModelLoader(Protocol):
    """The part of an inference client that loads versions."""

    def prepare(self, model: str, version: str) -> None:
        """Load a version beside those that serve; raises RuntimeError if it cannot."""

    def ready(self, model: str, version: str) -> bool:
        """Whether it answers."""


class ChampionWatcher:
    """Keeps `current` at the champion, or at a pinned model, once it answers.

    A new champion serves only when it is loaded. While it is not, or while the aliases cannot be
    reached, the last good model goes on serving and `problem` says why; but one that people went back
    from does not, and counters stand in for what they went back to. It begins with the counter model,
    which every installation has: `stands_in` until the first look says that it is the champion,
    or the champion serves. A Triton that was restarted gets its model loaded again.

    Parameters
    ----------
    registry : asked each turn
    loader : loads what is to be served
    fingerprint : of the feature service in use; a model made for another one is refused
    pinned : ``name`` (its newest version) or ``name/version``; None follows the champion
    champion : says what that is; None: what the alias points to
    interval_s : between two turns

    Attributes
    ----------
    current : what serves
    learned_ms : when `current` was made, ms UTC; None where it was not learned
    previous : what served before and is good still; None: nothing, or it is what people went back from
    problem : why `current` may not be what should serve; None: it is
    stands_in : whether `current` is there only because what should serve never has, or no longer can
    """

    def __init__(
        self,
        registry: ModelRegistry,
        loader: ModelLoader,
        fingerprint: str,
        *,
        pinned: str | None = None,
        champion: Callable[[], ModelMetadata | None] | None = None,
        interval_s: float = 0.5,
    ) -> None:
        self._registry = registry
        self._loader = loader
        self._fingerprint = fingerprint
        self._pinned = pinned
        self._champion = champion or partial(registry.resolve, "champion")
        self._interval_s = interval_s
        self._counters = registry.find(COUNTERS).served
        self.current: ServedModel = self._counters
        self.learned_ms: int | None = None
        self.previous: ServedModel | None = None
        self.problem: str | None = None
        self.stands_in = True
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="champion-watcher", daemon=True)

    def start(self) -> None:
        """Follow in the background; the first turn is done when this returns."""
        self.refresh()
        self._thread.start()

    def close(self) -> None:
        """Stop following; a load in progress is waited for."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def age_s(self, now_ms: int) -> float:
        """Since what serves was made, s; NaN where it was not learned."""
        return float("nan") if self.learned_ms is None else (now_ms - self.learned_ms) / 1000

    def refresh(self) -> None:
        """One turn: find out what should serve, have it loaded, then switch."""
        try:
            self._follow(self._wanted())
        except (RuntimeError, OSError) as error:  # whatever the registry or the loader has: keep serving
            self._report(str(error))
        except Exception as error:  # noqa: BLE001  (nor may anything else end the following of later changes)
            self._report(f"{type(error).__name__}: {error}")
        else:
            self._report(None)

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            self.refresh()

    def _wanted(self) -> ModelMetadata:
        model = self._registry.find(self._pinned) if self._pinned else self._champion()
        if model is None:
            raise RegistryError("there is no champion and no counter model")
        return model

    def _follow(self, wanted: ModelMetadata) -> None:
        try:
            self._switch_to(wanted)
        except Exception:
            self._leave_what_was_taken_back(wanted.served)
            raise

    def _switch_to(self, model: ModelMetadata) -> None:
        need_features(model, self._fingerprint)
        wanted = model.served
        if wanted == self.current:
            self.stands_in = False
        if not self._loader.ready(wanted.name, wanted.version):
            self._loader.prepare(wanted.name, wanted.version)
        if wanted != self.current:
            _log.info("model_switched", model=f"{wanted.name}/{wanted.version}")
            before = None if self._goes_back(wanted) else self.current
            self.previous, self.current, self.stands_in = before, wanted, False
            self.learned_ms = model.created_time_ms if model.lineage else None

    def _leave_what_was_taken_back(self, wanted: ServedModel) -> None:
        """What people went back from must not go on serving because what they went back to cannot."""
        if wanted != self.current != self._counters and self._goes_back(wanted):
            _log.warning("counters_stand_in", wanted=f"{wanted.name}/{wanted.version}")
            self.previous, self.current, self.stands_in = None, self._counters, True
            self.learned_ms = None

    def _goes_back(self, wanted: ServedModel) -> bool:
        """Whether people left what serves for something older: it must not answer in place of that."""
        if wanted == self.previous or wanted.name == COUNTERS:
            return True
        return wanted.name == self.current.name and int(wanted.version) < int(self.current.version)

    def _report(self, problem: str | None) -> None:
        if problem != self.problem:
            level: Callable[..., object] = _log.warning if problem else _log.info
            level("champion_watch", problem=problem)
        self.problem = problem
