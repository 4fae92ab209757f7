"""The supervisor, with small real processes."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from eddyline.stack.keeper import TaskFailedError, bound_log
from eddyline.stack.ports import Ports
from eddyline.stack.process import NoAnswer, Policy, Process, Status
from eddyline.stack.supervisor import Supervisor
from eddyline.stack.workers import WorkerKind, worker
from tests.processes import ended

ROOT = Path(__file__).parents[4]

QUICK = Policy(
    first_backoff_s=0.01, longest_backoff_s=0.05, probe_every_s=0.01, probe_while_starting_every_s=0.01
)


async def well() -> str | None:
    return None


async def never() -> str | None:
    return "never"


def python(name: str, code: str, **fields: object) -> Process:
    return Process(
        name=name, argv=lambda: [sys.executable, "-c", code], env=os.environ, **{"ready": well, **fields}
    )


def sleeper(name: str, **fields: object) -> Process:
    return python(name, "import time; time.sleep(600)", **fields)


class Run:
    """Runs a supervisor; `until` waits, without polling, for the statuses to satisfy a condition."""

    def __init__(self, processes: Sequence[Process], logs: Path, policy: Policy = QUICK) -> None:
        self.history: list[tuple[str, str]] = []
        self.stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._supervisor = Supervisor(processes, logs, policy, self._note)
        self._task = asyncio.create_task(self._supervisor.run(self.stop))

    def _note(self, statuses: Sequence[Status]) -> None:
        for status in statuses:
            if (status.name, status.phase) not in self.history[-len(statuses) :]:
                self.history.append((status.name, status.phase))
        self._changed.set()

    def __getitem__(self, name: str) -> Status:
        return next(status for status in self._supervisor.statuses if status.name == name)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            changed = asyncio.create_task(self._changed.wait())
            await asyncio.wait([changed, self._task], return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                changed.cancel()
                self._task.result()
                raise AssertionError("the supervisor ended")

    async def end(self) -> None:
        self.stop.set()
        await self._task

    async def failed(self) -> BaseException | None:
        await asyncio.wait([self._task])
        return self._task.exception()


def test_what_can_wait_yields_within_its_session_and_beside_others(tmp_path):
    async def scenario():
        run = Run([sleeper("first"), sleeper("last", niceness=7)], tmp_path)
        await run.until(lambda: run["first"].ready and run["last"].ready)
        first, last = (psutil.Process(run[name].pid) for name in ("first", "last"))
        assert last.nice() == min(first.nice() + 7, 19)
        sessions = Path(f"/proc/{last.pid}/autogroup")
        if sessions.exists():
            assert sessions.read_text().endswith("nice 7\n")
            assert Path(f"/proc/{first.pid}/autogroup").read_text().endswith("nice 0\n")
        await run.end()

    asyncio.run(scenario())


def test_a_killed_process_is_started_again_and_counted(tmp_path):
    async def scenario():
        run = Run([sleeper("a")], tmp_path)
        await run.until(lambda: run["a"].ready)
        first = run["a"].pid
        os.kill(first, signal.SIGKILL)
        await run.until(lambda: run["a"].ready and run["a"].pid != first)
        assert run["a"].restarts == 1
        await run.end()

    asyncio.run(scenario())


def test_a_process_that_keeps_dying_is_started_later_and_later(tmp_path):
    async def scenario():
        run = Run([python("a", "raise SystemExit(3)", ready=never)], tmp_path)
        await run.until(lambda: run["a"].restarts == 3)
        assert ("a", "down") in run.history
        await run.end()

    asyncio.run(scenario())


def test_a_process_starts_only_when_all_before_it_are_ready(tmp_path):
    gate = asyncio.Event()

    async def opened() -> str | None:
        return None if gate.is_set() else "closed"

    async def scenario():
        run = Run([sleeper("late", after=("early",)), sleeper("early", ready=opened)], tmp_path)
        await run.until(lambda: run["early"].reason == "closed")
        assert run["late"].phase == "waiting"
        gate.set()
        await run.until(lambda: run["late"].ready)
        await run.end()

    asyncio.run(scenario())


def test_a_task_is_ready_when_it_has_succeeded_and_runs_once(tmp_path):
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).open('a').write('x')"
    mark = tmp_path / "mark"
    work = Process("task", lambda: [sys.executable, "-c", code, str(mark)], os.environ)

    async def scenario():
        run = Run([work, sleeper("after", after=("task",))], tmp_path)
        await run.until(lambda: run["after"].ready)
        assert run["task"].phase == "done"
        await run.end()

    asyncio.run(scenario())
    assert mark.read_text() == "x"


def test_a_task_that_fails_ends_the_stack_with_what_it_said(tmp_path):
    failing = Process("task", lambda: [sys.executable, "-c", "raise SystemExit('no such topic')"], os.environ)

    async def scenario():
        run = Run([sleeper("a"), failing], tmp_path)
        error = await run.failed()
        assert isinstance(error, TaskFailedError)
        assert str(tmp_path / "task.log") in str(error)
        assert "no such topic" in str(error)
        assert run["a"].phase == "stopped"

    asyncio.run(scenario())


@pytest.mark.parametrize("ready_again", [True, False], ids=["that looks ready", "that is not ready"])
def test_a_process_whose_loop_is_stuck_is_killed_and_started_again(tmp_path, ready_again):
    first = iter([None])

    async def ready() -> str | None:
        return None if ready_again else next(first, "not any more")

    async def scenario():
        policy = Policy(0.01, 0.05, 30.0, 0.01, 0.01, stuck_after_s=0.05)
        run = Run([sleeper("a", ready=ready, alive=never)], tmp_path, policy)
        await run.until(lambda: run["a"].restarts == 1)
        await run.end()

    asyncio.run(scenario())
    assert "killed by its supervisor: never" in (tmp_path / "a.log").read_text()


def test_a_worker_whose_loop_stands_still_is_started_again_by_what_it_says_of_itself(tmp_path):
    kind = WorkerKind("stuck", "tests.unit.eddyline.stack.stuck_worker", ())
    port = Ports(tmp_path / "ports.json", {}, random.Random())["stuck"]
    process = worker(kind, 0, {**os.environ, "PYTHONPATH": str(ROOT)}, port, after=(), stop_grace_s=1.0)

    async def scenario():
        run = Run([process], tmp_path, Policy(0.01, 0.05, 30.0, 0.01, 0.01, stuck_after_s=0.05))
        await run.until(lambda: run["stuck-0"].restarts == 1)
        assert ("stuck-0", "ready") in run.history
        await run.end()

    asyncio.run(scenario())
    killed = (tmp_path / "stuck-0.log").read_text()
    assert "killed by its supervisor" in killed and "main loop has not turned" in killed


def silent_when_up(tmp_path, name: str, then: str, asked: Callable[[], None] = lambda: None) -> Process:
    """A process that says so when it is up, goes on with ``then``, and answers no probe from there on."""

    async def up() -> str | None:
        return None if (tmp_path / f"{name}.log").read_text() else "not up"

    async def silent() -> str | None:
        asked()
        return NoAnswer("no answer") if (tmp_path / f"{name}.log").read_text() else None

    return python(name, f"print('up', flush=True)\n{then}", ready=up, alive=silent)


NO_SHARE = Policy(0.01, 0.05, 30.0, 0.01, 0.01, stuck_after_s=0.1, silent_share=0.0)


def test_a_silent_process_that_runs_is_killed_and_started_again(tmp_path):
    async def scenario():
        run = Run([silent_when_up(tmp_path, "a", "while True: pass")], tmp_path, NO_SHARE)
        await run.until(lambda: run["a"].restarts == 1)
        await run.end()

    asyncio.run(scenario())
    assert "killed by its supervisor: no answer" in (tmp_path / "a.log").read_text()


def test_a_silent_process_that_gets_no_processor_time_is_left_alone(tmp_path):
    times_asked = 0
    enough = asyncio.Event()

    def asked() -> None:
        nonlocal times_asked
        times_asked += 1
        if times_asked == 50:
            enough.set()

    async def scenario():
        run = Run([silent_when_up(tmp_path, "a", "import time; time.sleep(600)", asked)], tmp_path, NO_SHARE)
        await enough.wait()
        assert run["a"].restarts == 0
        await run.end()

    asyncio.run(scenario())


def test_a_process_that_is_unready_but_alive_is_left_alone(tmp_path):
    answers = iter([None])

    async def once() -> str | None:
        return next(answers, "kafka is away")

    asked = 0

    async def alive() -> str | None:
        nonlocal asked
        asked += 1
        if asked == 20:
            enough.set()
        return None

    enough = asyncio.Event()

    async def scenario():
        policy = Policy(0.01, 0.05, 30.0, 0.01, 0.01, stuck_after_s=0.05)
        run = Run([sleeper("a", ready=once, alive=alive)], tmp_path, policy)
        await enough.wait()
        assert (run["a"].phase, run["a"].reason, run["a"].restarts) == ("unready", "kafka is away", 0)
        await run.end()

    asyncio.run(scenario())


def test_a_process_that_does_not_start_in_time_is_started_again(tmp_path):
    async def scenario():
        policy = Policy(0.01, 0.05, 30.0, 0.01, 0.01, start_within_s=0.05)
        run = Run([sleeper("a", ready=never)], tmp_path, policy)
        await run.until(lambda: run["a"].restarts == 1)
        await run.end()

    asyncio.run(scenario())


def test_stopping_drains_dependents_before_what_they_depend_on(tmp_path):
    on_term = (
        "import signal, sys, time, pathlib\n"
        "def bye(*_):\n pathlib.Path('{log}').open('a').write('{name} ')\n sys.exit()\n"
        "signal.signal(signal.SIGTERM, bye)\nprint('up', flush=True)\ntime.sleep(600)"
    )
    order = tmp_path / "order"

    def announced(name: str):
        async def probe() -> str | None:
            return None if (tmp_path / f"{name}.log").read_text() else "not up"

        return probe

    def polite(name: str, after: tuple[str, ...] = ()) -> Process:
        return python(name, on_term.format(log=order, name=name), after=after, ready=announced(name))

    async def scenario():
        run = Run([polite("store"), polite("worker", ("store",))], tmp_path)
        await run.until(lambda: run["worker"].ready)
        await run.end()

    asyncio.run(scenario())
    assert order.read_text().split() == ["worker", "store"]


def test_stopping_kills_what_ignores_it_and_all_that_it_started(tmp_path):
    stubborn = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(600)"
    )

    async def announced() -> str | None:
        return None if (tmp_path / "a.log").read_text() else "not up"

    async def scenario():
        run = Run([python("a", stubborn, ready=announced, stop_grace_s=0.05)], tmp_path)
        await run.until(lambda: run["a"].ready)
        pids = [run["a"].pid, int((tmp_path / "a.log").read_text())]
        processes = [psutil.Process(pid) for pid in pids]
        await run.end()
        return processes

    for process in asyncio.run(scenario()):
        while not ended(process):  # what was killed is gone when the kernel gets to it
            pass


def test_a_program_that_is_not_there_ends_the_stack(tmp_path):
    async def scenario():
        run = Run([sleeper("a"), Process("b", lambda: ["/no/such/program"], os.environ, well)], tmp_path)
        assert isinstance(await run.failed(), FileNotFoundError)
        assert run["a"].phase == "stopped"

    asyncio.run(scenario())


@pytest.mark.parametrize("after", [("missing",), ("a",)], ids=["unknown", "circle"])
def test_an_impossible_order_is_refused(tmp_path, after):
    with pytest.raises(ValueError, match="wait for each other"):
        Supervisor([sleeper("a", after=after)], tmp_path, QUICK, lambda _: None)


def test_a_log_is_moved_aside_when_it_is_too_large(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("x" * 11)
    bound_log(log, 10)
    assert (log.read_text(), (tmp_path / "a.log.1").read_text()) == ("", "x" * 11)
    log.write_text("short")
    bound_log(log, 10)
    assert log.read_text() == "short"


def test_a_supervisor_that_was_not_scheduled_kills_nobody_for_it(tmp_path):
    async def scenario():
        policy = Policy(0.01, 0.05, 30.0, 0.01, 0.01, stuck_after_s=0.05)
        asked = 0
        again = asyncio.Event()

        async def alive() -> str | None:
            nonlocal asked
            asked += 1
            if asked == 5:
                time.sleep(0.2)  # holds up the supervisor itself, far beyond its patience
            if asked == 15:
                again.set()
            return None

        run = Run([sleeper("a", alive=alive)], tmp_path, policy)
        await again.wait()
        assert run["a"].restarts == 0
        await run.end()

    asyncio.run(scenario())
