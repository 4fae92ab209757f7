"""The gate lets nothing through that fails a check, and each failed check tells its figures."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ranker.registry.models import Check
from ranker.training.errors import TrainingError
from ranker.training.evaluation import BOOSTED, NEW_MODEL, Evaluation, Incumbent, evaluate, simple_scorers
from ranker.training.gate import DEFAULT_GATE, Evidence, Gate, load_gate, offline_checks, served_checks
from ranker.training.rows import Float32, Rows
from ranker.triton.base import Scores
from triton_models.signature import Signature

GATE = load_gate()


def evidence(rows: Rows, signature: Signature, predicted: Float32, champion: Float32) -> Evidence:
    scorers = {
        **simple_scorers(signature, 0),
        BOOSTED: lambda rows: np.zeros(len(rows)),
        "champion, x/1": lambda _: champion,
        NEW_MODEL: lambda _: predicted,
    }
    halves = {"first half": np.arange(len(rows)) < len(rows) // 2}
    evaluation: Evaluation = evaluate(rows, scorers, halves)
    return Evidence(rows, {"click": predicted}, evaluation, Incumbent("champion, x/1"))


def failed(checks: list[Check]) -> set[str]:
    return {check.name for check in checks if not check.passed}


def truth(rows: Rows) -> Float32:
    return rows.labels["click"]


def test_predictions_that_are_right_pass(rows: Rows, signature: Signature) -> None:
    right = truth(rows)
    counted = simple_scorers(signature, 0)["item CTR"](rows)
    found = list(offline_checks(GATE, evidence(rows, signature, right, counted.astype(np.float32))))
    assert failed(found) == set()
    assert "not worse than the champion: first half" in {check.name for check in found}


def test_a_model_worse_than_all_others_is_refused_with_figures(rows: Rows, signature: Signature) -> None:
    found = list(offline_checks(GATE, evidence(rows, signature, 1 - truth(rows), truth(rows))))
    assert failed(found) == {
        "not worse than counters",
        "not worse than LightGBM",
        "not worse than the champion",
        "not worse than the champion: first half",
        "calibrated: click",
    }
    told = {check.name: check.figures for check in found}
    assert "against 1.0000" in told["not worse than the champion"]


def test_features_that_are_missing_are_refused(rows: Rows, signature: Signature) -> None:
    holes = rows.where(np.ones(len(rows), bool))
    holes.dense[:, 0] = np.nan
    assert "features are numbers" in failed(
        list(offline_checks(GATE, evidence(holes, signature, truth(holes), truth(holes))))
    )


def answers(rows: Rows) -> Scores:
    return {"click": 1 / (1 + np.exp(-np.nan_to_num(rows.dense[:, 3], posinf=9, neginf=-9).clip(-9, 9)))}


def neighbourly(rows: Rows) -> Scores:
    return {"click": answers(rows)["click"] - answers(rows)["click"].mean()}


def by_position(rows: Rows) -> Scores:
    return {"click": np.arange(len(rows), dtype=np.float32)}


def fragile(rows: Rows) -> Scores:
    return {"click": rows.dense[:, 3]}


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        (answers, set()),
        (neighbourly, {"isolation"}),
        (by_position, {"permutation"}),
        (fragile, {"finite"}),
    ],
)
def test_laws_of_serving_are_checked_on_answers(model, refused, rows: Rows, gate: Gate) -> None:  # type: ignore[no-untyped-def]
    assert failed(list(served_checks(gate, model, rows.between(0, 1)))) == refused


@pytest.mark.parametrize("line", ["max_error = 0.02", "tolerance = 1e-4", "[latency]"])
def test_a_gate_file_without_one_of_its_keys_is_refused_by_name(line: str, tmp_path: Path) -> None:
    broken = tmp_path / "gate.toml"
    broken.write_text(DEFAULT_GATE.read_text().replace(line, ""))
    with pytest.raises(TrainingError, match=r"gate\.toml"):
        load_gate(broken)


def test_the_shipped_gate_promises_what_the_documents_say() -> None:
    assert isinstance(GATE, Gate)
    assert (GATE.calibration.max_error, GATE.quality.champion_margin) == (0.02, 0.0)


def test_an_update_is_not_asked_about_lightgbm_and_a_gate_that_asks_gets_an_answer(
    rows: Rows, signature: Signature
) -> None:
    update = load_gate(DEFAULT_GATE.with_name("gate-update.toml"))
    right = truth(rows)
    found = evidence(rows, signature, right, right)
    results = tuple(result for result in found.evaluation.results if result.ranker != BOOSTED)
    unmeasured = replace(found, evaluation=msgspec.structs.replace(found.evaluation, results=results))
    assert "not worse than LightGBM" not in {check.name for check in offline_checks(update, found)}
    assert "not worse than LightGBM" in failed(list(offline_checks(GATE, unmeasured)))
