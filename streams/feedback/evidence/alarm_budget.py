"""How much evidence an alarm needs: derived from how many false ones on-call is willing to have."""

from dataclasses import dataclass
from math import log

TICKET_FLOOR, PAGE_FLOOR = 100.0, 1000.0
"""W below which nobody is called, whatever the budget."""


@dataclass(frozen=True, slots=True)
class AlarmBudget:
    """False alarms that are expected at most, and what shares them.

    An e-process ever reaches W with a probability of at most 1/W, so ``starts`` processes on each of
    ``streams`` reach it ``starts * streams / W`` times at most.

    Parameters
    ----------
    tickets_per_30_days, pages_per_30_days : false ones expected at most, > 0
    streams : e-processes that run beside each other (models, slices, detectors), > 0
    starts_per_30_days : how often each begins anew (once per salt period), > 0

    Examples
    --------
    >>> AlarmBudget(tickets_per_30_days=0.1, streams=30).ticket
    300.0
    """

    tickets_per_30_days: float = 0.1
    pages_per_30_days: float = 0.01
    streams: int = 1
    starts_per_30_days: float = 1.0

    def __post_init__(self) -> None:
        for name in ("tickets_per_30_days", "pages_per_30_days", "streams", "starts_per_30_days"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} is not above 0")

    @property
    def ticket(self) -> float:
        """W from which somebody looks at it in working hours: verdict `warning`."""
        return max(TICKET_FLOOR, self._processes / self.tickets_per_30_days)

    @property
    def page(self) -> float:
        """W from which somebody is woken: verdict `loop_detected`."""
        return max(PAGE_FLOOR, self._processes / self.pages_per_30_days)

    @property
    def log_ticket(self) -> float:
        return log(self.ticket)

    @property
    def log_page(self) -> float:
        return log(self.page)

    @property
    def _processes(self) -> float:
        return self.starts_per_30_days * self.streams
