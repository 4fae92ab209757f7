"""Our workers on real parts, a broker and Redis; each of them may be killed."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from redis import ConnectionError as RedisConnectionError
from redis import Redis

from eddyline.stack.background import running
from eddyline.stack.kafka import kafka
from eddyline.stack.parts import Parts
from eddyline.stack.ports import Ports
from eddyline.stack.process import Policy, Status
from eddyline.stack.redis import redis as redis_process
from eddyline.stack.settings import StackSettings
from eddyline.stack.supervisor import Supervisor
from eddyline.stack.workers import KINDS, worker
from feature_store.catalog import load_catalog
from feature_store.online import RedisOnlineStore, online_store
from feature_store.schema.topics import EVENTS, batch_topic
from feature_store.settings import Settings
from streams.ingest.settings import IngestSettings
from tests.simulation.topics import declared_topics


class RedisServer:
    """A Redis of our own, so that it can be killed and its file put back to an earlier state."""

    def __init__(self, stack: StackSettings, parts: Parts, folder: Path, port: int) -> None:
        self._process = redis_process(stack, parts, folder, port)
        self._folder = folder
        self._copy = folder.with_name("redis-copy")
        self._port = port
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it has read its file."""
        with (self._folder.parent / "redis.log").open("ab") as log:
            self._running = subprocess.Popen(list(self._process.argv()), stdout=log, stderr=log)
        with Redis(port=self._port) as client:
            wait_until(lambda: _pings(client), "redis answers")

    def kill(self) -> None:
        """SIGKILL; what it confirmed is in its file."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()

    def keep_copy(self) -> None:
        """Remember its file as it is."""
        shutil.copytree(self._folder, self._copy, dirs_exist_ok=True)

    def put_back_copy(self) -> None:
        """Make its file what :meth:`keep_copy` saw; call it between :meth:`kill` and :meth:`start`."""
        shutil.rmtree(self._folder)
        shutil.copytree(self._copy, self._folder)


class Workers:
    """Supervised workers, by name."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a signal; False when the worker is down, whether or not its supervisor knows yet."""
        pid = self._status(name).pid
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def kill(self, name: str) -> bool:
        """SIGKILL a worker; False when it is down already."""
        return self.signal(name, signal.SIGKILL)

    def restarts(self, name: str) -> int:
        """How often a worker was started again."""
        return self._status(name).restarts

    def _status(self, name: str) -> Status:
        return next(status for status in self._supervisor.statuses if status.name == name)


class Pipeline:
    """A broker with its topics and a Redis; workers run on them for as long as a block runs."""

    def __init__(
        self, settings: Settings, redis: RedisServer, environment: dict[str, str], ports: Ports
    ) -> None:
        self.settings = settings
        self.redis = redis
        self.logs = settings.home / "logs"
        self._environment = environment
        self._ports = ports

    @contextlib.contextmanager
    def workers(self, extra: dict[str, str] | None = None, **counts: int) -> Iterator[Workers]:
        """Run ``ingest=…``, ``features=…`` … workers under supervision; entered when all are ready."""
        kinds = {kind.name: kind for kind in KINDS}
        processes = [
            worker(
                kinds[kind],
                number,
                {**self._environment, **(extra or {})},
                self._ports[f"{kind}-{number}"],
                after=(),
                stop_grace_s=10,
            )
            for kind, count in counts.items()
            for number in range(count)
        ]
        with running(processes, self.logs, Policy(longest_backoff_s=1.0)) as supervisor:
            yield Workers(supervisor)

    def log(self, name: str) -> str:
        """What a worker has written so far."""
        return (self.logs / f"{name}.log").read_text()

    def store(self) -> RedisOnlineStore:
        """The rows."""
        return online_store(self.settings)

    def wait_settled(self, timeout_s: float = 180) -> None:
        """Wait until every event is in a batch and every batch is in the rows."""
        wait_until(lambda: not self.behind(), "all is folded", timeout_s, self.behind)

    def behind(self) -> list[str]:
        """Whatever has not been read to its end yet."""
        with contextlib.closing(self._consumer()) as consumer:
            ends = _ends(consumer, EVENTS, self.settings.events_partitions)
            committed = consumer.committed([TopicPartition(EVENTS, n) for n in range(len(ends))], timeout=10)
            late = [f"ingest[{at.partition}]" for at in committed if at.offset < ends[at.partition] > 0]
            return late or [*self._behind_views(consumer)]

    def _behind_views(self, consumer: Consumer) -> Iterator[str]:
        store, partitions = self.store(), range(self.settings.batch_partitions)
        for view in load_catalog().views:
            ends = _ends(consumer, batch_topic(view.entity), len(partitions))
            for partition, checkpoint in enumerate(store.load_checkpoints(view.fingerprint, partitions)):
                if (checkpoint.next_offset if checkpoint else 0) < ends[partition]:
                    yield f"{view.name}[{partition}]"

    def _consumer(self) -> Consumer:
        group = IngestSettings().ingest_group
        return Consumer({"bootstrap.servers": self.settings.kafka_bootstrap, "group.id": group})


@contextlib.contextmanager
def pipeline(home: Path) -> Iterator[Pipeline]:
    """Run a broker and a Redis below ``home`` while the block runs; entered when the topics are there."""
    stack = StackSettings(home=home)
    parts, ports = Parts(stack.parts), Ports(home / "broker-ports.json", {}, random.Random())
    processes = kafka(stack, parts, home / "kafka", ports["kafka"], ports["kafka_controller"])
    with running(processes, home / "logs"), pipeline_on(f"127.0.0.1:{ports['kafka']}", home) as flow:
        yield flow


@contextlib.contextmanager
def pipeline_on(bootstrap: str, home: Path) -> Iterator[Pipeline]:
    """Run a Redis below ``home`` while the block runs, beside a broker that has the topics as long."""
    stack = StackSettings(home=home)
    parts, ports = Parts(stack.parts), Ports(home / "ports.json", {}, random.Random())
    redis_url = f"redis://127.0.0.1:{ports['redis']}/0"
    addresses = {"HOME": str(home), "KAFKA_BOOTSTRAP": bootstrap, "REDIS_URL": redis_url}
    environment = {**os.environ, **{f"EDDYLINE_{name}": value for name, value in addresses.items()}}
    settings = Settings(home=home, kafka_bootstrap=bootstrap, redis_url=redis_url)
    redis = RedisServer(stack, parts, home / "redis", ports["redis"])
    with declared_topics(settings):
        redis.start()
        try:
            yield Pipeline(settings, redis, environment, ports)
        finally:
            redis.kill()


def wait_until(
    condition: Callable[[], bool], what: str, timeout_s: float = 60, state: Callable[[], object] = str
) -> None:
    """Ask again and again until it holds; AssertionError with the state when it takes too long."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s until {what}: {state()}"
        time.sleep(0.1)


def _ends(consumer: Consumer, topic: str, partitions: int) -> Sequence[int]:
    return [
        consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=10)[1] for n in range(partitions)
    ]


def _pings(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisConnectionError:
        return False
