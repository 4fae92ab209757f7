"""Runs a whole stack in the foreground: plan, supervise, write down, until a signal or a failure."""

import asyncio
import random
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry

from eddyline.stack.metrics import StatusCollector
from eddyline.stack.plan import Plan
from eddyline.stack.process import Policy, Status
from eddyline.stack.settings import StackSettings
from eddyline.stack.state import State, forget_state, not_ready, owned, write_state
from eddyline.stack.supervisor import Supervisor
from eddyline.stack.sweep import sweep
from feature_store.telemetry.health import HealthServer

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NotReadyError(Exception):
    """The stack did not become ready in time."""


def run_stack(settings: StackSettings, changed: Callable[[Sequence[Status]], None]) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP; nothing is left behind.

    ``changed`` is called with all statuses after every change.

    Raises
    ------
    AlreadyRunningError, MissingPartError, TaskFailedError, NotReadyError
    """
    home = settings.home.resolve()
    with owned(home):
        sweep(home)
        asyncio.run(_run(Plan(settings, random.Random()), settings, changed))  # noqa: S311 (ports, no secret)
        forget_state(home)


async def _run(plan: Plan, settings: StackSettings, changed: Callable[[Sequence[Status]], None]) -> None:
    stop, all_ready = asyncio.Event(), asyncio.Event()
    myself = psutil.Process()

    def report(statuses: Sequence[Status]) -> None:
        state = State(myself.pid, myself.create_time(), plan.addresses, tuple(statuses))
        write_state(plan.home, state)
        if not not_ready(statuses):
            all_ready.set()
        changed(statuses)

    supervisor = Supervisor(plan.processes, logs_folder(plan.home), _policy(settings), report)
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    health = _health(supervisor, plan.ports["supervisor.metrics"])
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
        raise NotReadyError(f"not ready within {settings.start_within_s:.0f} s: {late}")


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
