"""D3 to D5 on their worlds: figures are a function of the seeds, and the row is the board's."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from eddyline.cli import build
from streams.loopbench.campaign import NEVER
from streams.loopbench.experiments import EXPERIMENTS, run_experiment


def test_a_seed_reaches_its_thresholds_whatever_runs_beside_it() -> None:
    for name in ("selection_5_percent", "popularity_by_counts", "retrain_echo"):
        alone, among = EXPERIMENTS[name].play([7]), EXPERIMENTS[name].play([6, 7])
        assert alone.page[0] == among.page[1]
        assert alone.ticket[0] == among.ticket[1] != NEVER


def test_a_row_counts_and_dates_alarms() -> None:
    told: list[int] = []
    row = run_experiment(EXPERIMENTS["selection_5_percent"], range(4), told.append)
    pages = EXPERIMENTS["selection_5_percent"].play(range(4)).page
    found = pages[pages != NEVER]
    assert (row.seeds, row.alarms, sum(told)) == (4, len(found), 4)
    assert row.events_to_alarm_p50 == np.median(found) * 25_000
    assert row.power_low < row.power <= row.power_high


def test_the_command_prints_rows_of_the_contract() -> None:
    arguments = ["loops", "experiments", "--seeds", "2", "--world", "retrain_no_echo", "--json"]
    result = CliRunner().invoke(build(), arguments)
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["worlds"]
    assert {"world", "loop", "events", "detector", "seeds", "alarms", "power", "target_power"} <= row.keys()
    assert (row["detector"], row["seeds"], row["events"], row["holds"]) == ("D5", 2, 80, False)


def test_a_world_that_is_not_there_is_refused_with_those_that_are() -> None:
    result = CliRunner().invoke(build(), ["loops", "experiments", "--world", "atlantis"])
    assert result.exit_code == 2
    assert "atlantis" in result.output


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_promise_is_of_a_loop(name: str) -> None:
    assert EXPERIMENTS[name].loop or EXPERIMENTS[name].target_power is None
