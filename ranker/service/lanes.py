"""Admission: a fixed number of requests is ranked at a time, a bounded number waits, the rest is shed."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock, get_ident
from typing import ParamSpec, TypeVar

from feature_store.clock import Clock

P = ParamSpec("P")
T = TypeVar("T")


class Overloaded(RuntimeError):  # noqa: N818  (a state of the world)
    """As many requests wait as may; this one was not admitted."""


class Lanes:
    """Threads that rank.

    Parameters
    ----------
    lanes : requests ranked at the same time
    waiting : requests that may wait for a lane
    clock : its monotonic time tells a stuck lane
    """

    STUCK_NS = 30_000_000_000

    def __init__(self, lanes: int, waiting: int, clock: Clock) -> None:
        self._clock = clock
        self._admitted = 0
        self._counting = Lock()
        self._at_most = lanes + waiting
        self._begun_ns: dict[int, int] = {}
        self._threads = ThreadPoolExecutor(lanes, thread_name_prefix="lane")

    def submit(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``call`` on a lane.

        Raises
        ------
        Overloaded
            No lane is free and no more may wait, or the process is ending.
        """
        self._admit()
        try:
            future = self._threads.submit(self._run, partial(call, *args, **kwargs))
        except RuntimeError as error:
            self._leave()
            raise Overloaded("the process is ending") from error
        future.add_done_callback(lambda _: self._leave())
        return future

    def in_flight(self) -> int:
        """Requests admitted and not yet done."""
        return self._admitted

    def problem(self) -> str | None:
        """None while every lane moves, else for how long one has not."""
        oldest_ns = min(list(self._begun_ns.values()), default=None)
        if oldest_ns is None or (age_ns := self._clock.monotonic_ns() - oldest_ns) <= self.STUCK_NS:
            return None
        return f"a lane has been ranking one request for {age_ns / 1e9:.0f} s"

    def close(self) -> None:
        """Finish what was admitted, then end the threads."""
        self._threads.shutdown(wait=True)

    def _run(self, call: Callable[[], T]) -> T:
        self._begun_ns[get_ident()] = self._clock.monotonic_ns()
        try:
            return call()
        finally:
            del self._begun_ns[get_ident()]

    def _admit(self) -> None:
        with self._counting:
            if self._admitted >= self._at_most:
                raise Overloaded("all lanes are busy and no more requests may wait")
            self._admitted += 1

    def _leave(self) -> None:
        with self._counting:
            self._admitted -= 1
