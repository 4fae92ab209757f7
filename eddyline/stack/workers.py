"""Our own processes: the tasks that prepare a stack, and the workers."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from eddyline.stack.probes import http_ok
from eddyline.stack.process import Process


@dataclass(frozen=True)
class WorkerKind:
    """A kind of worker.

    Parameters
    ----------
    name : its processes are ``<name>-<instance>``
    module : what ``python -m`` runs
    after : names of the processes that it starts after
    niceness : of its processes; rankings come first, then what they are made of
    """

    name: str
    module: str
    after: tuple[str, ...]
    niceness: int = 0


KINDS = (
    WorkerKind("ingest", "streams.ingest", ("topics",)),
    WorkerKind("features", "streams.apps.features", ("topics", "redis")),
    WorkerKind("join", "streams.apps.join", ("topics", "redis")),
    WorkerKind("ranker", "ranker.service", ("topics", "redis", "models", "triton")),
    WorkerKind("panel", "ranker.panel", ("topics", "redis", "models", "triton")),
    WorkerKind("detectors", "streams.apps.detectors", ("topics", "redis")),
    WorkerKind("parity", "eddyline.parity", ("topics",), 15),
    WorkerKind("lineage", "eddyline.lineage", ("topics",), 15),
    WorkerKind("trainer", "ranker.training", ("topics", "redis", "models", "triton"), 5),
)


def task(name: str, module: str, env: Mapping[str, str], after: tuple[str, ...]) -> Process:
    """A module that must succeed once."""
    return Process(name=name, argv=lambda: [sys.executable, "-m", module], env=env, after=after)


def worker(
    kind: WorkerKind,
    instance: int,
    env: Mapping[str, str],
    metrics_port: int,
    *,
    after: tuple[str, ...],
    stop_grace_s: float,
) -> Process:
    """One worker; ``/healthz`` and ``/readyz`` on its metrics port say how it is."""
    own = {"EDDYLINE_INSTANCE": str(instance), "EDDYLINE_METRICS_PORT": str(metrics_port)}
    return Process(
        name=f"{kind.name}-{instance}",
        argv=lambda: [sys.executable, "-m", kind.module],
        env={**env, **own},
        ready=http_ok(f"http://127.0.0.1:{metrics_port}/readyz"),
        alive=http_ok(f"http://127.0.0.1:{metrics_port}/healthz"),
        after=after,
        stop_grace_s=stop_grace_s,
        niceness=kind.niceness,
    )
