"""What a stack consists of, and where its parts listen."""

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eddyline.stack.addresses import Addresses
from eddyline.stack.kafka import kafka
from eddyline.stack.parts import Parts
from eddyline.stack.ports import Ports
from eddyline.stack.process import Process
from eddyline.stack.prometheus import alertmanager, prometheus
from eddyline.stack.redis import redis
from eddyline.stack.settings import StackSettings
from eddyline.stack.triton import triton
from eddyline.stack.workers import KINDS, WorkerKind, task, worker

_JOIN_WRITES_WITHIN_S = 5.0

BENCHMARK_MODELS = frozenset({"reference"})
"""Models that are loaded only where the settings name them."""


@dataclass(frozen=True)
class Stack:
    """All that it takes to run a stack.

    Parameters
    ----------
    home : state folder, absolute
    processes : everything to run
    metrics_port : where the supervisor serves its own metrics and health
    """

    home: Path
    addresses: Addresses
    processes: Sequence[Process]
    metrics_port: int


class Plan:
    """The processes of one stack.

    Parameters
    ----------
    settings : counts, limits and prescribed ports
    rng : chooses free ports for what has none yet

    Raises
    ------
    MissingPartError : if a program is not there
    """

    def __init__(self, settings: StackSettings, rng: random.Random) -> None:
        self._settings = settings
        self._parts = Parts(settings.parts)
        self._home = settings.home.resolve()
        self._ports = Ports(self._home / "ports.json", settings.fixed_ports, rng)

    def stack(self) -> Stack:
        """The stack; making it writes the parts' configuration files."""
        addresses = self.addresses()
        window_s = self._settings.join_window_s
        own = {
            "EDDYLINE_JOIN_WINDOW_S": str(window_s),
            "EDDYLINE_KAFKA_DISK_GB": str(self._settings.kafka_disk_gb),
            "EDDYLINE_DETECT_GRACE_S": str(window_s + _JOIN_WRITES_WITHIN_S),
        }
        environment = {**os.environ, **own, **addresses.environment(self._home)}
        processes = [*self._kafka(), *self._stores(), *self._monitoring()]
        processes += [*self._tasks(environment), *self._workers(environment)]
        return Stack(self._home, addresses, processes, self._ports["supervisor.metrics"])

    def addresses(self) -> Addresses:
        """Where the stack listens; free ports are chosen for what has none yet."""
        ports = self._ports
        return Addresses(
            kafka=f"127.0.0.1:{ports['kafka']}",
            redis=f"redis://127.0.0.1:{ports['redis']}/0",
            triton_grpc=f"127.0.0.1:{ports['triton_grpc']}" if self._with_triton else None,
            triton_http=f"127.0.0.1:{ports['triton_http']}" if self._with_triton else None,
            http=f"http://127.0.0.1:{ports['ranker-0.http']}",
            prometheus=f"http://127.0.0.1:{ports['prometheus']}",
            alertmanager=f"http://127.0.0.1:{ports['alertmanager']}",
            inference=self._settings.inference,
            metrics={
                name: f"http://127.0.0.1:{port}/metrics"
                for instances in self._targets().values()
                for name, port in instances.items()
            },
        )

    @property
    def _with_triton(self) -> bool:
        return self._settings.inference == "triton"

    def _count(self, kind: WorkerKind) -> int:
        return int(getattr(self._settings, f"{kind.name}_workers"))

    def _targets(self) -> dict[str, dict[str, int]]:
        """Ports of all metrics: job → process → port."""
        targets = {kind.name: self._worker_ports(kind) for kind in KINDS}
        if self._with_triton:
            targets["triton"] = {"triton": self._ports["triton_metrics"]}
        return {**targets, "supervisor": {"supervisor": self._ports["supervisor.metrics"]}}

    def _worker_ports(self, kind: WorkerKind) -> dict[str, int]:
        names = [f"{kind.name}-{instance}" for instance in range(self._count(kind))]
        return {name: self._ports[f"{name}.metrics"] for name in names}

    def _kafka(self) -> list[Process]:
        return kafka(
            self._settings,
            self._parts,
            self._home / "kafka",
            self._ports["kafka"],
            self._ports["kafka_controller"],
        )

    def _stores(self) -> list[Process]:
        store = redis(self._settings, self._parts, self._home / "redis", self._ports["redis"])
        return [store, self._triton()] if self._with_triton else [store]

    def _triton(self) -> Process:
        return triton(
            self._parts,
            self._settings.model_servers.resolve(),
            self._models_to_load,
            http_port=self._ports["triton_http"],
            grpc_port=self._ports["triton_grpc"],
            metrics_port=self._ports["triton_metrics"],
            after=("models",),
        )

    def _models_to_load(self) -> list[str]:
        left_out = BENCHMARK_MODELS - {self._settings.model}
        configured = self._settings.model_servers.glob("*/config.pbtxt")
        return sorted(path.parent.name for path in configured if path.parent.name not in left_out)

    def _monitoring(self) -> list[Process]:
        alert_port = self._ports["alertmanager"]
        return [
            prometheus(
                self._settings,
                self._parts,
                self._home / "prometheus",
                self._ports["prometheus"],
                alert_port,
                self._targets(),
            ),
            alertmanager(self._parts, self._home / "alertmanager", alert_port),
        ]

    def _tasks(self, env: Mapping[str, str]) -> list[Process]:
        return [
            task("topics", "streams.topics_admin", env, ("kafka",)),
            task("models", "ranker.registry.bootstrap", env, ("redis",)),
        ]

    def _workers(self, env: Mapping[str, str]) -> list[Process]:
        return [self._worker(kind, n, env) for kind in KINDS for n in range(self._count(kind))]

    def _worker(self, kind: WorkerKind, instance: int, env: Mapping[str, str]) -> Process:
        name = f"{kind.name}-{instance}"
        http = {"EDDYLINE_HTTP_PORT": str(self._ports[f"{name}.http"])} if kind.name == "ranker" else {}
        return worker(
            kind,
            instance,
            {**env, **http},
            self._ports[f"{name}.metrics"],
            after=tuple(name for name in kind.after if self._with_triton or name != "triton"),
            stop_grace_s=self._settings.drain_within_s,
        )
