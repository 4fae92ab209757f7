"""D3 to D5 on their worlds: figures are a function of the seeds, and the row is the board's."""

import numpy as np
import pytest

from streams.loopbench.alarms import NEVER
from streams.loopbench.experiments import EXPERIMENTS
from streams.loopbench.results import experiment_row


def test_a_seed_reaches_its_thresholds_whatever_runs_beside_it() -> None:
    for name in ("selection_5_percent", "concentration_by_counts", "retrain_echo"):
        own = EXPERIMENTS[name].detector
        alone, among = EXPERIMENTS[name].play([7])[own], EXPERIMENTS[name].play([6, 7])[own]
        assert alone.page[0] == among.page[1]
        assert alone.ticket[0] == among.ticket[1] != NEVER


def test_a_row_counts_and_dates_alarms() -> None:
    watches = EXPERIMENTS["selection_5_percent"].play(range(4))
    row = experiment_row(EXPERIMENTS["selection_5_percent"], watches)
    watch = watches["D3"]
    found = watch.page[watch.page != NEVER]
    assert (row.seeds, row.alarms) == (4, len(found))
    assert row.events_to_alarm_p50 == np.median(found) * 25_000
    assert row.power_low < row.power <= row.power_high


def test_concentration_never_pages_so_its_tickets_count() -> None:
    watches = EXPERIMENTS["concentration_by_counts"].play([7])
    row = experiment_row(EXPERIMENTS["concentration_by_counts"], watches)
    assert row.alarms == row.warnings == 1


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_promise_is_of_a_loop(name: str) -> None:
    assert EXPERIMENTS[name].loop or EXPERIMENTS[name].target_power is None
