"""Runs a whole stack in the foreground: plan, supervise, write down, until a signal or a failure."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry

from eddyline.stack.metrics import StatusCollector
from eddyline.stack.plan import Stack
from eddyline.stack.process import Policy, Process, Status
from eddyline.stack.settings import StackSettings
from eddyline.stack.state import State, forget_state, not_ready, owned, write_state
from eddyline.stack.supervisor import Supervisor
from eddyline.stack.sweep import sweep
from feature_store.telemetry.health import HealthServer

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NotReadyError(Exception):
    """The stack did not become ready in time."""


def run_stack(
    settings: StackSettings, make: Callable[[], Stack], changed: Callable[[Sequence[Status]], None]
) -> None:
    """Run the stack of ``settings.home`` until SIGINT, SIGTERM or SIGHUP; nothing is left behind.

    Parameters
    ----------
    make : makes the stack, once its home is ours
    changed : called with all statuses after every change

    Raises
    ------
    AlreadyRunningError, MissingPartError, TaskFailedError, NotReadyError
    """
    home = settings.home.resolve()
    with owned(home):
        sweep(home)
        try:
            asyncio.run(_run(make(), settings, changed))
        finally:
            forget_state(home)


async def _run(stack: Stack, settings: StackSettings, changed: Callable[[Sequence[Status]], None]) -> None:
    stop, all_ready = asyncio.Event(), asyncio.Event()
    myself = psutil.Process()

    def report(statuses: Sequence[Status]) -> None:
        state = State(myself.pid, myself.create_time(), stack.addresses, tuple(statuses))
        write_state(stack.home, state)
        if not not_ready(statuses):
            all_ready.set()
        changed(statuses)

    supervisor = Supervisor(marked(stack), logs_folder(stack.home), _policy(settings), report)
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    health = _health(supervisor, stack.metrics_port)
    late: dict[str, str] = {}

    async def give_up() -> None:
        try:
            await asyncio.wait_for(all_ready.wait(), settings.start_within_s)
        except TimeoutError:
            late.update(not_ready(supervisor.statuses))
            stop.set()

    deadline = asyncio.create_task(give_up())
    try:
        await supervisor.run(stop)
    finally:
        deadline.cancel()
        health.close()
    if late:
        raise NotReadyError(
            f"not ready within {settings.start_within_s:.0f} s: {late}; logs: {logs_folder(stack.home)}"
        )


def marked(stack: Stack) -> list[Process]:
    """Its processes, recognisable by their environment as those of its state folder."""
    mark = {"EDDYLINE_HOME": str(stack.home)}
    return [replace(process, env={**process.env, **mark}) for process in stack.processes]


def logs_folder(home: Path) -> Path:
    """Where a stack's processes write their logs."""
    return home / "logs"


def _policy(settings: StackSettings) -> Policy:
    return Policy(stuck_after_s=settings.stuck_after_s, log_max_bytes=settings.log_max_mb * 1024 * 1024)


def _health(supervisor: Supervisor, port: int) -> HealthServer:
    registry = CollectorRegistry()
    registry.register(StatusCollector(lambda: supervisor.statuses))
    return HealthServer(
        "127.0.0.1",
        port,
        live=lambda: None,
        ready=lambda: ", ".join(not_ready(supervisor.statuses)) or None,
        registry=registry,
    )
