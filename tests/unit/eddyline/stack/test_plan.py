"""What a stack consists of, for given settings; nothing is started."""

import json
import random
import sys
from pathlib import Path

import pytest

from eddyline.stack import parts as parts_module
from eddyline.stack.parts import MissingPartError
from eddyline.stack.plan import Plan, Stack
from eddyline.stack.process import Policy
from eddyline.stack.settings import StackSettings
from eddyline.stack.supervisor import Supervisor


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders as `make setup` leaves them, and programs on PATH by their names."""
    folder = tmp_path / "parts"
    (folder / "kafka").mkdir(parents=True)
    (folder / "triton" / "pytriton" / "tritonserver").mkdir(parents=True)
    (folder / "triton" / "nvidia_pytriton.libs").mkdir()
    monkeypatch.setattr(parts_module.shutil, "which", lambda name: f"/usr/bin/{name}")
    return folder


def stack(home: Path, parts: Path, **settings: object) -> Stack:
    return Plan(StackSettings(home=home, parts=parts, **settings), random.Random(0)).stack()


def names(made: Stack) -> set[str]:
    return {process.name for process in made.processes}


PARTS = {"kafka-format", "kafka", "redis", "triton", "prometheus", "alertmanager"}
TASKS = {"topics", "models"}


def test_by_default_there_is_one_worker_of_each_kind(tmp_path, parts):
    workers = {"ingest-0", "features-0", "join-0", "ranker-0", "parity-0", "lineage-0"}
    assert names(stack(tmp_path / "home", parts)) == PARTS | TASKS | workers


def test_topics_are_made_for_the_disk_that_the_stack_may_take(tmp_path, parts):
    made = stack(tmp_path / "home", parts)
    (topics,) = (process for process in made.processes if process.name == "topics")
    assert float(topics.env["EDDYLINE_KAFKA_DISK_GB"]) == StackSettings().kafka_disk_gb == 8


def test_the_settings_say_how_many_workers_there_are(tmp_path, parts):
    made = stack(tmp_path / "home", parts, features_workers=3, join_workers=0)
    assert names(made) - PARTS - TASKS == {
        "ingest-0",
        "features-0",
        "features-1",
        "features-2",
        "ranker-0",
        "parity-0",
        "lineage-0",
    }


def test_embedded_inference_runs_no_triton_and_nothing_waits_for_one(tmp_path, parts):
    made = stack(tmp_path / "home", parts, inference="embedded")
    assert "triton" not in names(made)
    assert all("triton" not in process.after for process in made.processes)
    assert (made.addresses.triton_grpc, made.addresses.inference) == (None, "embedded")


@pytest.mark.parametrize("inference", ["triton", "embedded"])
def test_the_order_can_be_followed(tmp_path, parts, inference):
    made = stack(tmp_path / "home", parts, inference=inference)
    Supervisor(made.processes, tmp_path / "logs", Policy(), lambda _: None)


def test_a_broker_that_was_formatted_is_not_formatted_again(tmp_path, parts):
    home = tmp_path / "home"
    (home / "kafka" / "data").mkdir(parents=True)
    (home / "kafka" / "data" / "meta.properties").touch()
    assert "kafka-format" not in names(stack(home, parts))


def test_a_broker_loads_its_classes_from_their_archive_where_there_is_one(tmp_path, parts):
    def broker(home: Path) -> list[str]:
        return next(list(each.argv()) for each in stack(home, parts).processes if each.name == "kafka")

    assert not [argument for argument in broker(tmp_path / "without") if "SharedArchiveFile" in argument]
    archive = parts / "kafka-classes" / "broker.jsa"
    archive.parent.mkdir()
    archive.touch()
    assert f"-XX:SharedArchiveFile={archive}" in broker(tmp_path / "with")


def test_a_worker_learns_by_its_environment_where_everything_is(tmp_path, parts):
    home = tmp_path / "home"
    made = stack(home, parts, ranker_workers=2)
    ranker = next(process for process in made.processes if process.name == "ranker-1")
    ports = json.loads((home / "ports.json").read_text())
    expected = {
        "EDDYLINE_HOME": str(home),
        "EDDYLINE_KAFKA_BOOTSTRAP": made.addresses.kafka,
        "EDDYLINE_REDIS_URL": made.addresses.redis,
        "EDDYLINE_TRITON_GRPC": made.addresses.triton_grpc,
        "EDDYLINE_TRITON_HTTP": made.addresses.triton_http,
        "EDDYLINE_INSTANCE": "1",
        "EDDYLINE_METRICS_PORT": str(ports["ranker-1.metrics"]),
        "EDDYLINE_HTTP_PORT": str(ports["ranker-1.http"]),
    }
    assert {name: ranker.env[name] for name in expected} == expected
    assert ranker.argv() == [sys.executable, "-m", "ranker.service"]


def test_prometheus_reads_every_worker_triton_and_the_supervisor(tmp_path, parts):
    home = tmp_path / "home"
    made = stack(home, parts, ingest_workers=2)
    configuration = json.loads((home / "prometheus" / "prometheus.yml").read_text())
    read = {
        static["labels"]["process"]: f"http://{static['targets'][0]}/metrics"
        for job in configuration["scrape_configs"]
        for static in job["static_configs"]
    }
    assert read == made.addresses.metrics
    workers = {"ingest-0", "ingest-1", "features-0", "join-0", "ranker-0", "parity-0", "lineage-0"}
    assert set(read) == {*workers, "triton", "supervisor"}


def test_prescribed_ports_are_where_the_addresses_point(tmp_path, parts):
    made = stack(tmp_path / "home", parts, kafka_port=19_001, http_port=19_002)
    assert (made.addresses.kafka, made.addresses.http) == ("127.0.0.1:19001", "http://127.0.0.1:19002")


def test_triton_loads_what_is_configured_at_each_start_but_benchmark_models_only_by_name(tmp_path, parts):
    home = tmp_path / "home"

    def loaded(**settings: object) -> list[str]:
        triton = next(p for p in stack(home, parts, **settings).processes if p.name == "triton")
        for model in ("counters", "reference"):
            (home / "model-servers" / model).mkdir(exist_ok=True)
            (home / "model-servers" / model / "config.pbtxt").touch()
        return [word for word in triton.argv() if word.startswith("--load-model")]

    assert loaded() == ["--load-model=counters"]
    assert loaded(model="reference") == ["--load-model=counters", "--load-model=reference"]


def test_a_missing_part_is_named_with_what_to_do(tmp_path, parts):
    with pytest.raises(MissingPartError, match="make setup"):
        stack(tmp_path / "home", tmp_path / "elsewhere")


def test_the_loop_detectors_run_where_there_are_nudges(tmp_path, parts):
    made = stack(tmp_path / "home", parts, nudge_delta=0.1)
    assert names(made) >= {"panel-0", "detectors-0"}
