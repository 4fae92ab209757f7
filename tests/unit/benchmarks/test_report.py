"""Figures say what was missed and why."""

import json

import pytest

from benchmarks.report import LATEST, Figure, keep

MISSED = Figure("rate", 60.0, "events/s", target=100.0, note="Two cores. Tried: three.")


@pytest.mark.parametrize("row", json.loads(LATEST.read_text()), ids=lambda row: row["name"])
def test_each_figure_that_was_kept_meets_its_target_or_says_why_not_and_what_was_tried(row):
    assert row["holds"] or "Tried: " in (row.get("missed") or ""), row["name"]


def test_a_missed_target_is_kept_with_by_how_much_and_why(tmp_path):
    keep([MISSED], tmp_path / "latest.json")
    (row,) = json.loads((tmp_path / "latest.json").read_text())
    assert row["missed"] == "by 40%. Two cores. Tried: three."


def test_a_ratio_that_is_too_high_is_missed_by_its_share_of_the_target():
    slow = Figure("p50", 30.0, "ms", "bare", 10.0, 2.0, at_least=False, bound_ratio=True, note="Cold.")
    assert slow.missed == "by 50%. Cold."


def test_a_target_that_is_met_needs_no_words():
    assert Figure("rate", 110.0, "events/s", target=100.0, note="Two cores.").missed is None


def test_a_missed_target_of_which_nobody_said_why_says_that():
    assert Figure("rate", 60.0, "events/s", target=100.0).missed == "by 40%. Nobody said why."
