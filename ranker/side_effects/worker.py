"""Runs side effects behind the answers, on one thread, from a bounded queue."""

from collections.abc import Callable, Sequence
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Protocol

import structlog

from feature_store.clock import Clock
from feature_store.telemetry.health import Heartbeat
from ranker.side_effects.answer import Answer

_log = structlog.get_logger()

OnDrop = Callable[[str, int], None]
"""(reason, how many) of the effects that did not happen"""


class SideEffect(Protocol):
    """Something to be done for every answer."""

    name: str

    def apply(self, answers: Sequence[Answer]) -> None:
        """Do it for ``answers``, in order."""


class SideEffects:
    """Hands answers to every effect, several at once when they come faster than they are handled.

    An answer that finds the queue full is dropped, and counted, rather than slowing down the next
    request; so is an answer whose effect raises.

    Parameters
    ----------
    waiting : answers that may wait
    on_drop : told what did not happen, by reason
    clock : its monotonic time tells a stuck effect
    gather_s : how long more answers are waited for once there is one, to handle them together
    """

    AT_ONCE = 256
    LOOK_S = 1.0

    def __init__(
        self,
        effects: Sequence[SideEffect],
        waiting: int,
        on_drop: OnDrop,
        clock: Clock,
        gather_s: float = 0.0,
    ) -> None:
        self._effects = tuple(effects)
        self._gather_s = gather_s
        self._closing = Event()
        self._queue: Queue[Answer | None] = Queue(waiting)
        self._on_drop = on_drop
        self._heartbeat = Heartbeat(clock)
        self._thread = Thread(target=self._run, name="side-effects", daemon=True)
        self._thread.start()

    def submit(self, answer: Answer) -> None:
        """Do what follows this answer, soon."""
        try:
            self._queue.put_nowait(answer)
        except Full:
            self._on_drop("queue_full", len(self._effects))

    def problem(self) -> str | None:
        """None while the thread gets on, else for how long it has not."""
        return self._heartbeat.problem()

    def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            self._heartbeat.beat()
            answers, open_ = self._next()
            for effect in self._effects if answers else ():
                self._apply(effect, answers)

    def _next(self) -> tuple[list[Answer], bool]:
        """What waits, at most ``AT_ONCE``, and whether more may come; nothing where none comes for long."""
        try:
            taken = [self._queue.get(timeout=self.LOOK_S)]
        except Empty:
            return [], True
        self._closing.wait(self._gather_s)
        while len(taken) < self.AT_ONCE and not self._queue.empty():
            taken.append(self._queue.get_nowait())
        answers = [answer for answer in taken if answer is not None]
        return answers, len(answers) == len(taken)

    def _apply(self, effect: SideEffect, answers: Sequence[Answer]) -> None:
        try:
            effect.apply(answers)
        except Exception as error:  # noqa: BLE001  (an effect that fails must not end the others)
            _log.error("side_effect_failed", effect=effect.name, error=str(error), answers=len(answers))
            self._on_drop(effect.name, len(answers))
