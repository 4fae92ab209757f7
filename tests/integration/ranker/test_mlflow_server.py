"""A real MLflow server remembers versions, which it takes from no folder, and shows their figures."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from eddyline.stack.background import running
from eddyline.stack.ports import Ports
from eddyline.stack.probes import http_ok
from eddyline.stack.process import Policy, Process
from ranker.registry.models import Check
from tests.unit.ranker.registry.test_records import LEARNED, registry_in

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

EVALUATION = {
    "results": [
        {"ranker": "champion, timeline_ranker/1", "ndcg_at_10": 0.5, "behind": 0.25},
        {"ranker": "new model", "ndcg_at_10": 0.75, "behind": None},
    ]
}


@pytest.fixture(scope="module")
def server(ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server whose database lies in a temporary folder."""
    home, url = tmp_path_factory.mktemp("mlflow-server"), f"http://127.0.0.1:{ports['mlflow']}"
    places = ["--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}", "--artifacts-destination", str(home)]
    address = ["--host", "127.0.0.1", "--port", str(ports["mlflow"]), "--workers", "1"]
    argv = [sys.executable, "-m", "mlflow", "server", *places, *address]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = Process("mlflow", lambda: argv, env, ready=http_ok(f"{url}/health"))
    with running([process], home / "logs", Policy(start_within_s=400)):  # it imports for long, twice
        yield url


def test_a_server_shows_a_version_its_figures_and_what_the_gate_found(server: str, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    registry = registry_in(tmp_path, server)
    model = registry.register(msgspec.structs.replace(LEARNED, evaluation=EVALUATION), {"model.pt": b"x"})
    registry.keep_checks(model.id, [Check("latency", True, "median 8 ms, 50 allowed")])
    registry.set_alias("champion", model.id, expected=None, reason="first")
    client = MlflowClient(server, server)
    shown = client.get_model_version_by_alias("timeline_ranker", "champion")
    assert shown.tags["eddyline.version"] == "1"
    assert shown.tags["eddyline.folder"] == str(tmp_path / "models/timeline_ranker/1")
    assert shown.tags["eddyline.gate"] == "passed"
    assert shown.tags["eddyline.gate.figures"] == "passed  latency: median 8 ms, 50 allowed"
    assert client.get_run(shown.run_id).data.metrics == {
        "ndcg_at_10/champion": 0.5,
        "behind/champion": 0.25,
        "ndcg_at_10/new model": 0.75,
    }
