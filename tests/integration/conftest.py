"""The real parts, started once per test session, lazily, by the same pieces as the local stack."""

import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from redis import Redis

from eddyline.stack.background import running
from eddyline.stack.kafka import kafka as kafka_processes
from eddyline.stack.parts import Parts
from eddyline.stack.ports import Ports
from eddyline.stack.redis import redis as redis_process
from eddyline.stack.settings import StackSettings
from eddyline.stack.triton import triton as triton_process
from feature_store.settings import Settings
from tests.simulation.topics import declared_topics

HERE = Path(__file__).parent
LONGEST_FIRST = (
    "test_main_job.py",
    "test_replay.py",
    "test_features_faults.py",
    "test_ranker.py",
    "test_ingest.py",
    "eddyline/test_stack.py",
    "test_backfill.py",
    "test_exposure_join.py",
    "test_loop_detectors.py",
    "test_features_runtime.py",
)
"""Files that take long begin first: one that began last would run alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first, for `--dist loadfile --no-loadscope-reorder`."""
    places = {HERE / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@dataclass(frozen=True)
class Triton:
    """A running Triton that holds no model yet: put versions into `models`, and what serves them beside."""

    grpc: str
    http: str
    models: Path


@pytest.fixture(scope="session")
def stack_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State folder of the session's parts."""
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(scope="session")
def stack_settings(stack_home: Path) -> StackSettings:
    """Settings of the session's parts."""
    return StackSettings(home=stack_home)


@pytest.fixture(scope="session")
def parts(stack_settings: StackSettings) -> Parts:
    """Where the programs are."""
    return Parts(stack_settings.parts)


@pytest.fixture(scope="session")
def ports(stack_home: Path) -> Ports:
    """Free ports by name."""
    return Ports(stack_home / "ports.json", {}, random.Random())


@pytest.fixture(scope="session")
def kafka(stack_settings: StackSettings, parts: Parts, ports: Ports, stack_home: Path) -> Iterator[str]:
    """``host:port`` of a real broker that creates no topic by itself."""
    port = ports["kafka"]
    processes = kafka_processes(stack_settings, parts, stack_home / "kafka", port, ports["kafka_controller"])
    with running(processes, stack_home / "logs"):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def make_topics(kafka: str) -> Callable[..., list[str]]:
    """Creates topics with names of their own: ``make_topics("events")`` -> ``["events-1a2b3c4d"]``."""
    admin = AdminClient({"bootstrap.servers": kafka})

    def make(*names: str, partitions: int = 1, config: dict[str, str] | None = None) -> list[str]:
        suffix = uuid.uuid4().hex[:8]
        topics = [NewTopic(f"{name}-{suffix}", partitions, 1, config=config or {}) for name in names]
        for future in admin.create_topics(topics).values():
            future.result()
        made = {topic.topic for topic in topics}
        while made - admin.list_topics(timeout=30).topics.keys():  # its metadata may come after its answer
            time.sleep(0.02)
        return [topic.topic for topic in topics]

    return make


@pytest.fixture(scope="module")
def topics(kafka: str) -> Iterator[None]:
    """Every topic as declared, on the session's broker; other modules make them in their own way."""
    with declared_topics(Settings(kafka_bootstrap=kafka)):
        yield


@pytest.fixture(scope="session")
def redis_url(stack_settings: StackSettings, parts: Parts, ports: Ports, stack_home: Path) -> Iterator[str]:
    """URL of a real Redis, set up as in production."""
    port = ports["redis"]
    with running([redis_process(stack_settings, parts, stack_home / "redis", port)], stack_home / "logs"):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="session")
def redis_cluster_url(
    stack_settings: StackSettings, parts: Parts, ports: Ports, stack_home: Path
) -> Iterator[str]:
    """URL of a real Redis Cluster of one node that owns all slots."""
    port = ports["redis-cluster"]
    node = redis_process(
        stack_settings, parts, stack_home / "redis-cluster", port, name="redis-cluster", cluster=True
    )
    with running([node], stack_home / "logs"):
        with Redis(port=port) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            _wait_for_cluster(client)
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="session")
def triton(parts: Parts, ports: Ports, stack_home: Path) -> Iterator[Triton]:
    """A real Triton server on CPU with explicit model control and an empty repository."""
    http, grpc, metrics = ports["triton_http"], ports["triton_grpc"], ports["triton_metrics"]
    servers = stack_home / "model-servers"
    server = triton_process(parts, servers, list, http_port=http, grpc_port=grpc, metrics_port=metrics)
    with running([server], stack_home / "logs"):
        yield Triton(f"127.0.0.1:{grpc}", f"http://127.0.0.1:{http}", stack_home / "models")


def _wait_for_cluster(client: "Redis") -> None:
    """A node takes part in its cluster at the next turn of its own timer; ask until it says so."""
    while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO"):
        time.sleep(0.02)
