"""A hydrator that cannot hold up many requests."""

from ranker.pipeline.batch import CandidateBatch
from ranker.pipeline.breaker import Breaker
from ranker.pipeline.components import Hydrator
from ranker.pipeline.features import Features
from ranker.pipeline.query import Query

ROWS = "the read of rows"


class Guarded:
    """Leaves another hydrator alone for a moment once it has failed several times in a row.

    Parameters
    ----------
    breaker : keeps a store that does not answer from costing every request its timeout
    """

    def __init__(self, hydrator: Hydrator, breaker: Breaker) -> None:
        self._hydrator = hydrator
        self._breaker = breaker

    def hydrate(self, query: Query, batch: CandidateBatch) -> Features:
        """As the other one.

        Raises
        ------
        TimeoutError
            No answer in time, or no time left.
        CircuitOpen
            The rows could not be read just now.
        """
        if query.deadline.remaining_ms() <= 0:  # the request waited too long: no failure of the store
            raise TimeoutError("no time left to read rows")
        with self._breaker.guard(ROWS):
            return self._hydrator.hydrate(query, batch)

    def blank(self, query: Query, batch: CandidateBatch) -> Features:
        """As the other one."""
        return self._hydrator.blank(query, batch)
