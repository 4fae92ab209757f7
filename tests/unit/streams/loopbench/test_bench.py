"""A small LoopBench: few seeds, all of them known."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from eddyline.cli import build
from streams.loopbench.campaign import play
from streams.loopbench.contenders import everybody
from streams.loopbench.experiments import EXPERIMENTS
from streams.loopbench.results import clopper_pearson, row_of
from streams.loopbench.run import NAMES, run_worlds
from streams.loopbench.worlds.catalogue import LOOP_FREE, WORLDS

ROOT = Path(__file__).parents[4]
README = ROOT / "README.md"

CONTRACT = {
    "world",
    "loop",
    "beta",
    "delta",
    "events",
    "detector",
    "seeds",
    "alarms",
    "power",
    "target_power",
    "events_to_alarm_p50",
}
SEEDS = (1, 2)
FOUND_SURELY = (
    "click_count_above_budget",
    "unlogged_path",
    "selection",
    "fatigue",
    "lag_10",
    "override_into_training",
    "ab_arms_share_training",
)


@pytest.mark.parametrize("spec", LOOP_FREE, ids=lambda spec: spec.name)
def test_worlds_without_a_loop_are_quiet(spec):
    row = row_of(spec, play(spec, SEEDS))
    assert (row.alarms, row.warnings) == (0, 0)
    assert row.coverage == 1.0


@pytest.mark.parametrize("name", FOUND_SURELY)
def test_loops_are_found_where_they_are(name):
    row = row_of(WORLDS[name], play(WORLDS[name], SEEDS))
    assert row.alarms == len(SEEDS)
    assert all(share == 1.0 for share in row.located.values())
    assert row.events_to_alarm_p50 <= row.events


def test_beta_is_estimated_beside_its_truth():
    outcome = play(WORLDS["position_bias"], SEEDS)
    np.testing.assert_allclose(outcome.estimates, outcome.beta, rtol=0.2)


def test_how_seeds_are_grouped_changes_no_figure():
    together = play(WORLDS["lag_3"], [1, 2])
    one_by_one = [play(WORLDS["lag_3"], [seed]) for seed in (1, 2)]
    for column in ("beta", "estimates"):
        apart = np.concatenate([getattr(outcome, column) for outcome in one_by_one])
        np.testing.assert_array_equal(getattr(together, column), apart)


def test_passive_baselines_alarm_without_a_loop_and_ours_does_not():
    spec = WORLDS["exogenous_trend"]
    row = row_of(spec, play(spec, SEEDS, everybody))
    alarms = {found.detector: found.alarms for found in row.detectors}
    assert alarms["board"] == alarms["null"] == alarms["random"] == 0
    assert alarms["gini_mann_kendall"] == len(SEEDS)


def test_the_command_prints_what_programs_were_promised(tmp_path):
    words = ["loops", "bench", "--seeds", "2", "--first-seed", "5", "--world", "lag_3", "--json"]
    answer = CliRunner().invoke(build(), [*words, "--output", str(tmp_path)])
    assert answer.exit_code == 0, answer.output
    (world,) = json.loads(answer.stdout)["worlds"]
    assert world.keys() >= CONTRACT
    assert (world["world"], world["loop"], world["seeds"], world["target_power"]) == ("lag_3", True, 2, None)
    assert json.loads((tmp_path / "loopbench.json").read_text())["worlds"] == [world]
    assert (tmp_path / "power.svg").stat().st_size < 100_000
    assert "| lag_3 |" in (tmp_path / "loopbench.md").read_text()


def test_the_readme_shows_what_the_command_prints(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    (words, printed), *_ = re.findall(
        r"^\.venv/bin/eddyline (loops bench .*?)\n```\n\n```\n(.*?)\n```", README.read_text(), re.M | re.S
    )
    answer = CliRunner().invoke(build(), words.split())
    assert [line.rstrip() for line in answer.stdout.splitlines()] == printed.splitlines()


def test_worlds_of_all_detectors_are_on_one_board(tmp_path):
    words = ["loops", "bench", "--seeds", "2", "--output", str(tmp_path), "--json"]
    names = ["common_shock", "selection_5_percent", "presentation_by_slot", "retrain_no_echo"]
    answer = CliRunner().invoke(build(), [*words, *(f"--world={name}" for name in names)])
    assert answer.exit_code == 0, answer.output
    worlds = {world["world"]: world for world in json.loads(answer.stdout)["worlds"]}
    assert list(worlds) == names
    assert all(world.keys() >= CONTRACT for world in worlds.values())
    assert [world["detector"] for world in worlds.values()] == ["board", "D3", "D3-presentation", "D5"]
    assert worlds["common_shock"]["false_edges"] == 0.0
    assert (worlds["retrain_no_echo"]["events"], worlds["retrain_no_echo"]["delta"]) == (80, None)
    text = (tmp_path / "loopbench.md").read_text()
    assert all(f"| {name} |" in text for name in names)


def test_the_documentation_names_every_world_and_no_other():
    tables = [
        line for line in (ROOT / "docs/loopbench.md").read_text().splitlines() if line.startswith("| `")
    ]
    named = {name for line in tables for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    detectors = {"feature_path", "total_score", "cross_model", "board", "null", "random"}
    assert named - detectors == set(NAMES) - detectors


def test_the_last_report_is_of_the_worlds_and_promises_that_there_are():
    report = max((ROOT / "docs/reports").glob("*-loopbench.json"))
    worlds = {world["world"]: world for world in json.loads(report.read_text())["worlds"]}
    specs = {**WORLDS, **EXPERIMENTS}
    assert set(specs) >= set(worlds) >= {spec.name for spec in LOOP_FREE}
    for name, world in worlds.items():
        assert (world["seeds"] >= 500, world["target_power"]) == (True, specs[name].target_power)
        if name in WORLDS:
            assert (world["delta"], world["events"]) == (specs[name].scale.delta, specs[name].events)


def test_a_world_that_there_is_not_is_refused_by_name():
    answer = CliRunner().invoke(build(), ["loops", "bench", "--world", "flat_earth"])
    assert answer.exit_code == 2
    assert "flat_earth" in answer.output


def test_what_is_promised_is_what_the_board_lists():
    promised = {
        name: spec.target_power for name, spec in {**WORLDS, **EXPERIMENTS}.items() if spec.target_power
    }
    assert promised == {
        "click_count": 0.95,
        "click_count_softmax": 0.95,
        "click_count_above_budget": 0.95,
        "unlogged_path": 0.95,
        "lag_1": 0.95,
        "cross_model": 0.98,
        "cycle_of_three": 0.98,
        "selection_2_percent": 0.95,
    }


def test_every_seed_is_played_once_and_reported(monkeypatch):
    monkeypatch.setattr("streams.loopbench.run.BATCH", 2)
    seen = []
    rows = list(run_worlds(["lag_3", "retrain_echo"], range(3, 6), 1, lambda *done: seen.append(done)))
    assert [(row.world, row.seeds) for row in rows] == [("lag_3", 3), ("retrain_echo", 3)]
    assert seen == [("lag_3", 2), ("lag_3", 1), ("retrain_echo", 2), ("retrain_echo", 1)]


@pytest.mark.parametrize(("successes", "trials"), [(0, 500), (3, 20), (20, 20)])
def test_the_interval_of_a_share_is_exact(successes, trials):
    low, high = clopper_pearson(successes, trials)
    draws = np.random.default_rng(1)
    if successes:
        assert (draws.binomial(trials, low, 40_000) >= successes).mean() == pytest.approx(0.025, abs=0.005)
    if successes < trials:
        assert (draws.binomial(trials, high, 40_000) <= successes).mean() == pytest.approx(0.025, abs=0.005)
