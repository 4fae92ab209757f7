"""What `eddyline loops status` shows of a deployment, and of one it cannot measure."""

import io
import os
from dataclasses import replace

import psutil
from msgspec import structs
from rich.console import Console

from eddyline.clients.loops import Measured
from eddyline.clients.measurements import NOT_KNOWN, Measurements
from eddyline.commands.loops._deployment import settings_of_deployment
from eddyline.commands.loops._status import show_status
from eddyline.stack.addresses import Addresses
from eddyline.stack.process import Status
from eddyline.stack.state import State, write_state
from feature_store.schema.findings import Acknowledgement, Finding, fold_all

FOUND = Finding(
    finding_id="loop-1",
    detector="board",
    subject="ranker",
    verdict="warning",
    statistic=5.0,
    threshold=4.6,
    opened_time_ms=0,
    updated_time_ms=0,
    runbook="docs/runbooks/loop-suspected.md",
)
SAID = Acknowledgement(
    finding_id="loop-1", subject="ranker", by="ana", note="watching", closes=False, time_ms=1
)


def shown(records=(), samples=(), missing="", off=()) -> str:
    console = Console(file=io.StringIO(), width=200)
    show_status(console, fold_all(enumerate(records)), Measurements(list(samples), missing), dict(off))
    return console.file.getvalue()


def test_what_is_not_measured_here_is_not_said_to_be_nothing() -> None:
    said = shown([FOUND], missing=NOT_KNOWN, off={"nudges": "too dear"})
    assert "loop-1" in said
    assert "EDDYLINE_PROMETHEUS_URL" in said
    assert "too dear" in said
    assert "no detector has judged" not in said
    assert "no experiments" not in shown(missing=NOT_KNOWN)


def test_what_is_measured_and_nothing_is_said() -> None:
    said = shown()
    assert said.splitlines() == [
        "no findings",
        "no detector has judged anything yet",
        "no experiments are asked for",
    ]


def test_what_answers_is_shown_beside_who_does_not() -> None:
    labels = {"subject": "ranker", "detector": "board", "verdict": "quiet"}
    samples = [Measured("detectors-0", "eddyline_loop_verdict", labels, 1.0)]
    said = shown(samples=samples, missing="ranker-0 does not answer")
    assert "quiet" in said
    assert "ranker-0 does not answer" in said


def test_an_experiment_is_shown_with_its_cost_once_that_is_measured() -> None:
    running, cost = "eddyline_ranker_experiment_running", "eddyline_ranker_experiment_cost_ratio"
    holdout, nudges = {"experiment": "holdout"}, {"experiment": "nudges"}
    said = shown(
        samples=[
            Measured("ranker-0", running, holdout, 1.0),
            Measured("ranker-1", running, nudges, 1.0),
            Measured("ranker-0", cost, holdout, 0.0012),
            Measured("ranker-1", cost, holdout, 0.0034),
        ]
    )
    rows = {line.split("│")[1].strip(): line for line in said.splitlines() if "│" in line}
    assert "0.340% of the expected value" in rows["holdout"]
    assert "not measured yet" in rows["nudges"]


def test_a_finding_is_shown_with_who_has_it_until_it_is_more() -> None:
    assert "acknowledged by ana" in shown([FOUND, SAID])
    said = shown([FOUND, SAID, structs.replace(FOUND, verdict="loop_detected")])
    assert "ana" not in said
    assert "promotion and training are held" in said


def test_training_that_somebody_stopped_is_no_experiment() -> None:
    said = shown(off={"training": "looking"})
    assert "promotion and training are stopped by hand, looking: eddyline loops start training" in said
    assert "no experiments are asked for" in said


def test_a_version_that_waits_is_shown_with_what_it_waits_for() -> None:
    waits = Measured("ranker-0", "eddyline_ranker_experiment_deploy_waiting", {}, 1.0)
    found = structs.replace(FOUND, verdict="loop_detected")
    assert "a promoted version waits for its moment\n" in shown(samples=[waits])
    for held in (shown([found], samples=[waits]), shown(samples=[waits], off={"training": "looking"})):
        assert "waits for its moment, which does not come while they are" in held
    assert "waits" not in shown([found], samples=[replace(waits, value=0.0)])


def test_commands_find_a_stack_that_is_not_ready(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EDDYLINE_HOME", str(tmp_path))
    me = psutil.Process(os.getpid())
    addresses = Addresses("k:1", "redis://r:1/0", None, None, "", "", "", "embedded", {})
    write_state(tmp_path, State(me.pid, me.create_time(), addresses, (Status("detectors-0", phase="down"),)))
    settings = settings_of_deployment()
    assert settings.kafka_bootstrap == "k:1"
    assert settings.redis_url.get_secret_value() == "redis://r:1/0"
