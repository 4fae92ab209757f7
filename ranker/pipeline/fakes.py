"""Components with faults, for tests of what a pipeline does without them."""

from typing import NoReturn

from feature_store.clock import ManualClock
from ranker.pipeline.batch import Bool, CandidateBatch, Float64, Heads
from ranker.pipeline.components import Hydrator, Scored
from ranker.pipeline.features import Features
from ranker.pipeline.outcome import Slate
from ranker.pipeline.query import Query


class Failing:
    """A source, filter, scorer, value or selector, each of whose calls takes time and then raises.

    Parameters
    ----------
    name : as a component has it
    error : what is raised
    clock, takes_ms : moved forward by each call
    """

    def __init__(
        self, name: str, error: Exception, clock: ManualClock | None = None, takes_ms: int = 0
    ) -> None:
        self.name = name
        self._error = error
        self._clock = clock
        self._takes_ms = takes_ms

    def fetch(self, query: Query) -> list[str]:
        """As a source."""
        self._fail()

    def keep(self, query: Query, batch: CandidateBatch, features: Features) -> Bool:
        """As a filter."""
        self._fail()

    def score(self, query: Query, batch: CandidateBatch, features: Features) -> Scored:
        """As a scorer."""
        self._fail()

    def value(self, heads: Heads) -> Float64:
        """As a value model."""
        self._fail()

    def select(self, query: Query, batch: CandidateBatch, published: Float64) -> Slate:
        """As a selector."""
        self._fail()

    def _fail(self) -> NoReturn:
        if self._clock is not None:
            self._clock.advance(self._takes_ms)
        raise self._error


class FailingHydrator:
    """A hydrator that cannot read rows."""

    def __init__(self, hydrator: Hydrator, error: Exception) -> None:
        self._hydrator = hydrator
        self._error = error

    def hydrate(self, query: Query, batch: CandidateBatch) -> Features:
        """Raises."""
        raise self._error

    def blank(self, query: Query, batch: CandidateBatch) -> Features:
        """What the hydrator has without rows."""
        return self._hydrator.blank(query, batch)
