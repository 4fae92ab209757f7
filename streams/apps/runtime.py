"""What every Faust worker of ours shares: how the app is built, how it runs and how it ends.

A worker ends at any exception, gap or doubt, with a status other than 0; its supervisor starts it
again, and it goes on from its own checkpoints. That is the only way in which it recovers.
"""

import asyncio
import os
import signal
import sys
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, NoReturn

import faust
import structlog
from prometheus_client import REGISTRY

from feature_store.clock import Clock
from feature_store.settings import Settings
from feature_store.telemetry.health import HealthServer
from streams.apps.credentials import broker_credentials
from streams.apps.progress import ProgressWatch
from streams.apps.transport import CheckpointTransport, StartOffsets
from streams.garbage import collect_rarely

EXIT_DOUBT = 70
"""Exit status of a worker that must start again from its checkpoints (EX_SOFTWARE)."""

_STOP_WITHIN_S = 5.0
_log = structlog.get_logger()

_SWITCH_S = 0.0005
"""Receiving must not wait Python's 5 ms for a thread that folds, nor the other way round."""


def build_app(name: str, settings: Settings, topics: Sequence[str], start_offsets: StartOffsets) -> faust.App:
    """A Faust app of the group ``eddyline-<name>`` that keeps no state of its own.

    Parameters
    ----------
    name : the kind of worker
    topics : all that its agents read. They are part of the static member's name: a broker gives a
        member that comes back its old partitions, without asking whether it reads other topics now
    start_offsets : called at every assignment with all partitions now owned
    """
    worker = f"{name}-{settings.instance}"
    folder = settings.home / "faust" / worker
    folder.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        f"eddyline-{name}",
        broker=[f"kafka://{address.strip()}" for address in settings.kafka_bootstrap.split(",")],
        broker_credentials=broker_credentials(settings),
        broker_client_id=worker,
        broker_session_timeout=settings.kafka_session_timeout_ms / 1000,
        broker_heartbeat_interval=settings.kafka_session_timeout_ms / 4000,
        broker_request_timeout=max(30.0, settings.kafka_session_timeout_ms / 1000),
        broker_max_poll_records=256,
        consumer_group_instance_id=f"{worker}-{zlib.crc32(repr(sorted(topics)).encode()):08x}",
        consumer_auto_offset_reset="earliest",
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        datadir=str(folder),
        stream_buffer_maxsize=256,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    app.transport = CheckpointTransport(app.conf.broker_consumer, app, start_offsets=start_offsets)
    return app


def raw_topic(app: faust.App, name: str) -> faust.types.TopicT:
    """A topic whose messages arrive as the bytes they are."""
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


def fatal(reason: str, error: BaseException | None = None) -> NoReturn:
    """Log why and end the process at once: what is in memory is in doubt, what is stored is not."""
    _log.critical(reason, exc_info=error, error=str(error) if error else None)
    os._exit(EXIT_DOUBT)


async def or_die(what: str, work: Awaitable[Any]) -> Any:
    """The result of ``work``; any exception but a cancellation ends the process."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001  (whatever it is, the process must not go on)
        fatal(f"{what} failed", error)


def run_worker(
    app: faust.App,
    settings: Settings,
    clock: Clock,
    *,
    watch: ProgressWatch,
    tasks: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = (),
    drain: Callable[[], Awaitable[None]] | None = None,
) -> NoReturn:
    """Run ``app`` until SIGTERM or SIGINT (status 0), or until something is wrong (another status).

    Parameters
    ----------
    watch : knows whether the worker has its partitions and gets on with them
    tasks : loops that run beside the app; none of them may return before the worker stops
    drain : finishes what is under way, before the app is stopped
    """
    sys.setswitchinterval(_SWITCH_S)
    collect_rarely()
    health = HealthServer(
        settings.bind_host, settings.metrics_port, live=watch.stuck, ready=watch.not_ready, registry=REGISTRY
    )
    try:
        asyncio.run(_serve(app, (*tasks, lambda: watch.run(app)), drain))
    except Exception as error:  # noqa: BLE001
        fatal("worker failed", error)
    finally:
        health.close()
    _log.info("stopped")
    os._exit(0)


async def _serve(
    app: faust.App,
    tasks: tuple[Callable[[], Coroutine[Any, Any, None]], ...],
    drain: Callable[[], Awaitable[None]] | None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app.finalize()
    await app.start()
    running = [asyncio.create_task(or_die("a loop of the worker", _forever(task()))) for task in tasks]
    crashed = asyncio.create_task(_died(app))
    await asyncio.wait([crashed, stopped := asyncio.create_task(stop.wait())], return_when="FIRST_COMPLETED")
    if not stopped.done():
        fatal("Faust stopped by itself", app.crash_reason)
    if drain is not None:
        await drain()
    for task in running:
        task.cancel()
    await asyncio.wait([asyncio.ensure_future(app.stop())], timeout=_STOP_WITHIN_S)


async def _forever(loop: Coroutine[Any, Any, None]) -> None:
    await loop
    raise RuntimeError("the loop ended")


async def _died(app: faust.App) -> None:
    """Return when the app has crashed or stopped."""
    await asyncio.wait(
        [asyncio.ensure_future(event.wait()) for event in (app._crashed, app._stopped)],
        return_when="FIRST_COMPLETED",
    )
