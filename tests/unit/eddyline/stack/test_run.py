"""A whole stack in a process of its own: signals, sudden death, two side by side."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from eddyline.stack.state import AlreadyRunningError, State, owned, read_state, summary
from eddyline.stack.sweep import stop_stack, sweep
from tests.processes import ended

SCRIPT = Path(__file__).with_name("small_stack.py")
DEADLINE_S = 30


class Running:
    """A small stack in ``home``, ready."""

    def __init__(self, home: Path) -> None:
        self.home = home
        environment = {**os.environ, "EDDYLINE_HOME": str(home)}
        self.supervisor = subprocess.Popen([sys.executable, str(SCRIPT)], env=environment)
        wait_until(lambda: self.ready and len(self.members()) == 3)

    @property
    def ready(self) -> bool:
        assert self.supervisor.poll() is None
        state = read_state(self.home)
        return state is not None and state.ready

    @property
    def state(self) -> State:
        state = read_state(self.home)
        assert state is not None
        return state

    def members(self) -> list[psutil.Process]:
        """All processes of the stack: those supervised, and what they started."""
        return [process for pid in self.state.pids.values() for process in family(pid)]


@pytest.fixture
def start():
    running: list[Running] = []

    def begin(home: Path) -> Running:
        running.append(Running(home))
        return running[-1]

    yield begin
    for stack in running:
        stack.supervisor.kill()
        stack.supervisor.wait()
        sweep(stack.home)


def family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def wait_until(condition) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "not in time"


def gone(processes: list[psutil.Process]) -> bool:
    return all(ended(process) for process in processes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_and_leaves_no_state(tmp_path, start, number):
    stack = start(tmp_path)
    members = stack.members()
    stack.supervisor.send_signal(number)
    assert stack.supervisor.wait(DEADLINE_S) == 0
    wait_until(lambda: gone(members))
    assert read_state(tmp_path) is None


def test_a_killed_supervisor_takes_its_processes_with_it_and_the_sweep_takes_theirs(tmp_path, start):
    stack = start(tmp_path)
    members = stack.members()
    direct = [psutil.Process(pid) for pid in stack.state.pids.values()]
    stack.supervisor.kill()
    stack.supervisor.wait()
    wait_until(lambda: gone(direct))
    assert not stack.state.supervised
    sweep(tmp_path)
    wait_until(lambda: gone(members))
    assert read_state(tmp_path) is None


def test_a_new_stack_clears_away_what_a_killed_one_left(tmp_path, start):
    first = start(tmp_path)
    members = first.members()
    first.supervisor.kill()
    first.supervisor.wait()
    second = start(tmp_path)
    wait_until(lambda: gone(members))
    assert second.state.supervisor_pid != first.supervisor.pid


def test_stopping_from_outside_ends_everything(tmp_path, start):
    stack = start(tmp_path)
    members = stack.members()
    assert stop_stack(tmp_path, DEADLINE_S)
    wait_until(lambda: gone(members))
    assert not stop_stack(tmp_path, DEADLINE_S)


def test_a_supervisor_that_does_not_stop_is_killed_with_all_it_runs(tmp_path, start):
    stack = start(tmp_path)
    members = stack.members()
    stack.supervisor.send_signal(signal.SIGSTOP)
    assert stop_stack(tmp_path, deadline_s=0.1)
    wait_until(lambda: gone(members))


def test_two_stacks_run_side_by_side_and_end_apart(tmp_path, start):
    one, two = start(tmp_path / "one"), start(tmp_path / "two")
    assert stop_stack(one.home, DEADLINE_S)
    assert two.ready
    assert not gone(two.members())


def test_a_second_supervisor_of_the_same_home_is_refused(tmp_path):
    with owned(tmp_path), pytest.raises(AlreadyRunningError, match="already runs"), owned(tmp_path):
        pass


def test_a_killed_process_is_not_ready_the_moment_it_is_dead(tmp_path, start):
    stack = start(tmp_path)
    stack.supervisor.send_signal(signal.SIGSTOP)
    [victim, *_] = family(stack.state.pids["other"])
    victim.kill()
    wait_until(lambda: gone([victim]))
    assert not stack.state.ready
    stack.supervisor.send_signal(signal.SIGCONT)
    wait_until(lambda: stack.ready)
    assert stack.state.pids["other"] != victim.pid
    assert summary(stack.state)["restarts"] == {"parent": 0, "other": 1}


def test_the_supervisor_shows_restarts_and_readiness(tmp_path, start):
    stack = start(tmp_path)
    port = json.loads((tmp_path / "ports.json").read_text())["supervisor.metrics"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        metrics = answer.read().decode()
    assert 'eddyline_supervisor_process_ready{process="other"} 1.0' in metrics
    assert 'eddyline_supervisor_restarts_total{process="other"} 0.0' in metrics
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
        assert json.loads(answer.read()) == {"ok": True, "reason": None}
    assert stack.ready
