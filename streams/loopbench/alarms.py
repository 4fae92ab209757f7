"""Who alarmed when in which seeds, and how much of a processor it took."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streams.feedback.cells import Mask
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64

NEVER = -1
"""Epochs to an alarm that did not come."""


class Contender(Protocol):
    """Somebody else's detector, over the same observations: a baseline."""

    name: str

    def update(self, observation: Any) -> None: ...

    def alarmed(self) -> Mask:
        """(runs,) whether it alarms now."""
        ...


Contenders = Callable[[str], Sequence[Contender]]
"""Fresh ones for a world, by its name."""


def no_contenders(world: str) -> Sequence[Contender]:
    """Only our own detectors."""
    return ()


@dataclass(frozen=True, slots=True)
class Watch:
    """When one detector alarmed, by seed: epochs seen until then, or :data:`NEVER`.

    Attributes
    ----------
    ticket, page : (s,) the same of a contender, which has one threshold only
    cpu_s : that the detector took, all seeds together; None of a member of the board, which counts as one
    contender : whether it is none of those that are judged
    """

    ticket: NDArray[np.int64]
    page: NDArray[np.int64]
    cpu_s: float | None = None
    contender: bool = False


class Stopwatch:
    """CPU seconds of this process within ``with`` blocks."""

    def __init__(self) -> None:
        self.cpu_s = 0.0

    def __enter__(self) -> None:
        self._started = time.process_time()

    def __exit__(self, *raised: object) -> None:
        self.cpu_s += time.process_time() - self._started


class Alarms:
    """The first epochs in which one detector of ours crossed the thresholds."""

    def __init__(self, runs: int, budget: AlarmBudget) -> None:
        self._budget = budget
        self._ticket, self._page = np.full(runs, NEVER), np.full(runs, NEVER)

    def note(self, epoch: int, log_evidence: Float64) -> None:
        """(runs,) evidence after an epoch, counted from 0."""
        _first(self._ticket, epoch, log_evidence >= self._budget.log_ticket)
        _first(self._page, epoch, log_evidence >= self._budget.log_page)

    def watch(self, cpu_s: float | None = None) -> Watch:
        """Until now; ``cpu_s`` is what the detector took, where that is known."""
        return Watch(self._ticket, self._page, cpu_s)


class Rivals:
    """Contenders in one world, each with its first alarms and what it costs."""

    def __init__(self, contenders: Sequence[Contender], runs: int) -> None:
        self._entries = [(each, np.full(runs, NEVER), Stopwatch()) for each in contenders]

    def update(self, epoch: int, observation: object) -> None:
        """Show them an epoch, counted from 0."""
        for contender, first, stopwatch in self._entries:
            with stopwatch:
                contender.update(observation)
                alarmed = contender.alarmed()
            _first(first, epoch, alarmed)

    def watches(self) -> dict[str, Watch]:
        """By name."""
        return {
            contender.name: Watch(first, first, stopwatch.cpu_s, contender=True)
            for contender, first, stopwatch in self._entries
        }


def joined_watches(batches: Sequence[Mapping[str, Watch]]) -> dict[str, Watch]:
    """By detector, what several batches of seeds of one world gave, as one."""
    return {name: _joined([batch[name] for batch in batches]) for name in batches[0]}


def _joined(watches: Sequence[Watch]) -> Watch:
    cpu_s = [watch.cpu_s for watch in watches if watch.cpu_s is not None]
    return replace(
        watches[0],
        ticket=np.concatenate([watch.ticket for watch in watches]),
        page=np.concatenate([watch.page for watch in watches]),
        cpu_s=sum(cpu_s) if cpu_s else None,
    )


def _first(epochs: NDArray[np.int64], epoch: int, now: Mask) -> None:
    epochs[(epochs == NEVER) & now] = epoch + 1
