"""A supervisor in a thread of this process, for tests and benchmarks that need the real parts."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from eddyline.stack.process import Policy, Process, Status
from eddyline.stack.supervisor import Supervisor


@contextmanager
def running(processes: Sequence[Process], logs: Path, policy: Policy | None = None) -> Iterator[Supervisor]:
    """Run ``processes`` while the block runs; the block is entered when all are ready.

    Raises
    ------
    RuntimeError : if they are not ready within the policy's ``start_within_s``
    TaskFailedError, OSError : as `Supervisor.run`
    """
    policy = policy or Policy()
    ready: Future[Supervisor] = Future()
    stop = asyncio.Event()
    loop = asyncio.new_event_loop()

    def report(statuses: Sequence[Status]) -> None:
        if all(status.ready for status in statuses) and not ready.done():
            ready.set_result(supervisor)

    def run() -> None:
        try:
            loop.run_until_complete(supervisor.run(stop))
            loop.run_until_complete(loop.shutdown_default_executor())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)
        finally:
            loop.close()

    supervisor = Supervisor(processes, logs, policy, report)
    thread = threading.Thread(target=run, name="supervisor")
    thread.start()
    try:
        yield _wait(ready, supervisor, policy.start_within_s)
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join()


def _wait(ready: "Future[Supervisor]", supervisor: Supervisor, timeout_s: float) -> Supervisor:
    try:
        return ready.result(timeout_s)
    except TimeoutError:
        late = {
            status.name: status.reason or status.phase for status in supervisor.statuses if not status.ready
        }
        raise RuntimeError(f"not ready within {timeout_s:.0f} s: {late}") from None
