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
    row = row_of(spec, play(spec, SEEDS, everybody(spec.name)))
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


OF_NUDGES = ("random", "psi", "noise_regression", "cb_pdd")
OF_ANYTHING = ("null", "adwin", "page_hinkley", "kswin")
OF_CONCENTRATION = "gini_mann_kendall"


@pytest.fixture(scope="module")
def beside_others(tmp_path_factory):
    """A small board with everybody on it: by world its row in the JSON, its line in Markdown, the folder."""
    folder = tmp_path_factory.mktemp("board")
    names = ["exogenous_trend", "concentration_by_rates", "presentation_users_differ", "retrain_echo"]
    words = ["loops", "bench", "--seeds", "2", "--baselines", "--output", str(folder)]
    answer = CliRunner().invoke(build(), [*words, *(f"--world={name}" for name in names)])
    assert answer.exit_code == 0, answer.output
    worlds = {row["world"]: row for row in json.loads((folder / "loopbench.json").read_text())["worlds"]}
    assert list(worlds) == names
    return worlds, answer.stdout, folder


def test_baselines_are_in_the_json_of_every_world_where_they_have_an_input(beside_others):
    worlds, _, _ = beside_others
    found = {name: {each["detector"]: each for each in row["detectors"]} for name, row in worlds.items()}
    others = {name: {n for n, each in row.items() if each["contender"]} for name, row in found.items()}
    assert others == {
        "exogenous_trend": {*OF_ANYTHING, OF_CONCENTRATION, *OF_NUDGES},
        "concentration_by_rates": {*OF_ANYTHING, OF_CONCENTRATION},
        "presentation_users_differ": set(OF_ANYTHING),
        "retrain_echo": set(OF_ANYTHING),
    }
    assert all(row["null"]["alarms"] == 0 for row in found.values())
    assert found["exogenous_trend"][OF_CONCENTRATION]["alarms"] == 2
    assert found["concentration_by_rates"][OF_CONCENTRATION]["alarms"] == 2
    assert all(
        each["power_low"] <= each["power"] <= each["power_high"] for each in found["retrain_echo"].values()
    )


def test_every_world_says_what_its_detector_and_every_other_cost(beside_others):
    worlds, _, _ = beside_others
    for row in worlds.values():
        first, *rest = row["detectors"]
        assert row["cpu_s_per_million_events"] == first["cpu_s_per_million_events"] > 0
        assert first["detector"] == row["detector"]
        assert all(each["cpu_s_per_million_events"] is not None for each in rest if each["contender"])


def test_baselines_are_printed_drawn_and_in_markdown(beside_others):
    worlds, printed, folder = beside_others
    text = (folder / "loopbench.md").read_text().partition("what others would watch")[2]
    heads = re.search(r"^\| world \| (.*) \|$", text, re.M)[1].split(" | ")
    assert set(heads) == {"ours", OF_CONCENTRATION, *OF_ANYTHING, *OF_NUDGES}
    for name, row in worlds.items():
        cells = re.search(rf"^\| {name} \| (.*) \|$", text, re.M)[1].split(" | ")
        shown = dict(zip(heads, cells, strict=True))
        alarms = {each["detector"]: str(each["alarms"]) for each in row["detectors"] if each["contender"]}
        assert shown == {**dict.fromkeys(heads, ""), **alarms, "ours": str(row["alarms"])}
        assert printed.count(name) == 2
    assert (folder / "others.svg").stat().st_size < 100_000


def test_without_contenders_nothing_is_said_of_others(tmp_path):
    words = ["loops", "bench", "--seeds", "1", "--world", "retrain_echo", "--output", str(tmp_path)]
    answer = CliRunner().invoke(build(), words)
    assert answer.exit_code == 0, answer.output
    assert "others" not in answer.stdout + (tmp_path / "loopbench.md").read_text()
    assert not (tmp_path / "others.svg").exists()


def test_the_documentation_names_every_world_and_everybody_who_watches_and_no_other():
    tables = [
        line for line in (ROOT / "docs/loopbench.md").read_text().splitlines() if line.startswith("| `")
    ]
    named = {name for line in tables for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    ours = {"feature_path", "total_score", "cross_model", "board"}
    assert named == ours | set(NAMES) | {each.name for name in NAMES for each in everybody(name)}


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
