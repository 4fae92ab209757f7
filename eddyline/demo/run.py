"""A demo from nothing to nothing: a fresh stack, the show, the addresses, and everything stopped."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from eddyline.demo.home import fresh_home
from eddyline.demo.settings import SETTINGS
from eddyline.stack.detach import Starting
from eddyline.stack.progress import Progress
from eddyline.stack.settings import StackSettings
from eddyline.stack.state import State
from feature_store.clock import SystemClock

_SETTLE_S = 15.0
_HISTORY_NEEDS = ("ingest", "features")


def expected() -> tuple[type[Exception], ...]:
    """What may go wrong, with a message for people; asked once it has: to import it takes a second."""
    from confluent_kafka import KafkaException

    from eddyline.clients.events import NotDelivered
    from eddyline.demo.home import FolderInUse
    from eddyline.demo.training import TrainingFailed
    from eddyline.replay.barrier import RowsBehind
    from eddyline.replay.items import ItemsUnknown
    from eddyline.replay.player import RankingFailed
    from eddyline.replay.ranklens import RankLensError
    from eddyline.stack.parts import MissingPartError
    from eddyline.stack.run import NotReadyError
    from eddyline.stack.state import AlreadyRunningError, StateFolderError

    return (
        *(AlreadyRunningError, FolderInUse, MissingPartError, NotReadyError, StateFolderError),
        *(KafkaException, NotDelivered, ItemsUnknown, RowsBehind),
        *(RankLensError, RankingFailed, TrainingFailed),
    )


def run_demo(events: Path | None, seed: int, console: Console) -> None:
    """Run the demo, on simulated users or on the RankLens log ``events``.

    Raises
    ------
    One of `expected`.
    """
    settings = StackSettings()
    began = time.monotonic()
    try:
        with (
            _stop_signals(),
            fresh_home(settings.home.resolve(), 2 * settings.drain_within_s + 30) as home,
        ):
            console.print(
                f"starting Kafka, Redis, Triton, Prometheus and our workers in {home}", highlight=False
            )
            starting = Starting(home, Progress(console), {} if events else SETTINGS)
            _show(starting, home, events, seed, console, began)
    except KeyboardInterrupt:
        console.print("stopped")


def _show(
    starting: Starting, home: Path, events: Path | None, seed: int, console: Console, began: float
) -> None:
    """The show begins while what it does not need yet still starts, and is imported while all does."""
    from eddyline.clients.running import connect
    from eddyline.demo.recorded import RecordedShow
    from eddyline.demo.stage import stage
    from eddyline.demo.users import Scale, UserShow

    def ready() -> None:
        starting.wait()
        console.print(f"ready after {time.monotonic() - began:.1f} s", highlight=False)

    state = starting.wait(*_HISTORY_NEEDS)
    with stage(connect(home, state.addresses), console, SystemClock()) as on:
        show = UserShow(on, seed, Scale()) if events is None else RecordedShow(on, events, _SETTLE_S)
        show.play(ready, _gone(console, state, began))


def _gone(console: Console, state: State, began: float) -> Callable[[], bool]:
    """Asked once the show is over: whether to leave; at a terminal, people leave with Ctrl-C."""
    from eddyline.commands._terminal import print_addresses

    waits = sys.stdin.isatty() and console.is_terminal
    told: list[bool] = []

    def gone() -> bool:
        if not told:
            told.append(True)
            then = "to look at next" if waits else "it stops now; at a terminal it stays, to look at"
            console.print(f"\nthe demo took {time.monotonic() - began:.0f} s; {then}:", highlight=False)
            print_addresses(console, state.addresses)
            console.print(
                f"  {'openapi':<14} {state.addresses.http}/openapi.json\n"
                f"  {'status':<14} eddyline status\n" + (f"  {'stop':<14} Ctrl-C" if waits else ""),
                highlight=False,
            )
        return not waits

    return gone


@contextmanager
def _stop_signals() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C, so that everything is stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
