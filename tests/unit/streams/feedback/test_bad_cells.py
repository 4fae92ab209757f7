"""Input that is not as it should be: refused by name, left out, or a reason to be blind."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from streams.feedback.base import VerdictKind
from streams.feedback.board import score_board
from streams.feedback.cell_builder import CellBuilder, ExposureColumns, PanelColumns
from streams.feedback.cells import EpochCells
from streams.feedback.cross_model import CrossModel
from streams.feedback.feature_path import feature_path
from streams.feedback.total_score import total_score

N = 60


def _cells(epoch, **changed):
    rng = np.random.default_rng(epoch)
    shape = (1, N)
    columns = {
        "present": np.ones(shape, np.bool_),
        "fresh": np.full(shape, epoch == 0),
        "raw_score": rng.normal(size=shape),
        "contributions": rng.normal(size=(1, 2, N)),
        "nudge": 0.1 * rng.choice([-1.0, 1.0], shape),
        "exposures": rng.poisson(20.0, shape).astype(float),
        "clicks": rng.poisson(2.0, shape).astype(float),
    }
    return EpochCells(epoch, "1", **{**columns, **changed})


def _board():
    return score_board(["model"], ["a", "b"])


def _fed(epochs):
    board = _board()
    for cells in epochs:
        board.update(cells)
    return board


def test_a_column_of_another_shape_is_named():
    with pytest.raises(ValueError, match="nudge"):
        _cells(0, nudge=np.zeros((1, N + 1)))
    with pytest.raises(ValueError, match="contributions"):
        _cells(0, contributions=np.zeros((1, 2, N + 1)))


def test_an_epoch_that_was_already_there_is_refused():
    board = _fed([_cells(0), _cells(1)])
    with pytest.raises(ValueError, match="epoch"):
        board.update(_cells(1))


def test_another_number_of_features_or_models_is_refused():
    with pytest.raises(ValueError, match="values"):
        feature_path(["model"], ["only one"]).update(_cells(0))
    with pytest.raises(ValueError, match="models"):
        CrossModel(["one", "two"]).update(_cells(0))
    with pytest.raises(ValueError, match="fewer than two"):
        CrossModel(["one"])


def test_an_allowance_for_something_that_is_not_watched_is_refused():
    with pytest.raises(ValueError, match="allowed_gain"):
        feature_path(["model"], ["a"], allowed_gain={"clicks": 0.01})


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"nudge": np.zeros((1, N))}, "no item was nudged"),
        ({"nudge": np.full((1, N), np.nan)}, "were not logged"),
        ({"nudge": np.full((1, N), 0.1)}, "one way more often"),
        ({"raw_score": np.full((1, N), np.nan)}, "scores of many items"),
    ],
)
def test_without_what_it_needs_it_is_blind_and_says_why(changed, reason):
    verdict = _fed([_cells(epoch, **changed) for epoch in range(8)]).verdict(0)
    assert verdict.kind is VerdictKind.BLIND
    assert reason in verdict.reason


def test_before_there_is_enough_it_warms_up():
    assert _board().verdict(0).kind is VerdictKind.WARMING_UP
    assert _fed([_cells(0), _cells(1)]).verdict(0).kind is VerdictKind.WARMING_UP


def test_a_gap_in_the_epochs_and_a_new_version_begin_pasts_anew_and_keep_evidence():
    epochs = [_cells(epoch) for epoch in range(8)]
    before = _fed(epochs)
    evidence = before.log_evidence()
    for later in (replace(_cells(20)), replace(_cells(8), version="2")):
        board = _fed(epochs)
        board.update(later)
        assert board.log_evidence() == pytest.approx(evidence, abs=1e-12)


def test_outcomes_that_are_all_zero_or_all_one_are_no_evidence():
    for clicks in (np.zeros((1, N)), None):
        epochs = [_cells(epoch) for epoch in range(10)]
        epochs = [replace(c, clicks=c.exposures if clicks is None else clicks) for c in epochs]
        assert _fed(epochs).verdict(0).kind is VerdictKind.QUIET


def test_scores_that_never_move_are_no_evidence():
    still = _cells(0)
    frozen = {"raw_score": still.raw_score, "contributions": still.contributions}
    board = _fed([_cells(epoch, **frozen) for epoch in range(10)])
    assert board.log_evidence() == pytest.approx(0.0, abs=1e-9)


def test_an_item_that_was_seen_once_is_never_bet_on():
    once = np.zeros((1, N), np.bool_)
    once[0, 0] = True
    wild = _cells(5).raw_score + 1e6 * once
    epochs = [
        _cells(e, present=~once) if e != 5 else _cells(e, raw_score=wild, fresh=once) for e in range(10)
    ]
    detector = total_score(["model"])
    for cells in epochs:
        detector.update(cells)
    assert np.abs(detector.beta().estimate).max() < 100


def _exposures(items, epoch, nudge):
    n = len(items)
    return ExposureColumns(
        pa.array(items), np.zeros(n, np.int64), np.full(n, epoch), np.full(n, nudge), np.zeros(n)
    )


def _panel(items, nudge):
    n = len(items)
    return PanelColumns(
        pa.array(items), np.zeros(n, np.int64), np.ones(n), np.ones((n, 1)), np.full(n, nudge)
    )


def test_exposures_of_closed_and_of_far_epochs_are_counted_as_dropped():
    builder = CellBuilder(1, 1, first_epoch=10)
    builder.add(_exposures(["a"], 9, 0.1))
    builder.add(_exposures(["a"], 13, 0.1))
    builder.add(_exposures(["a", "a"], 12, 0.1))
    assert builder.dropped == {"late": 1, "ahead": 1, "unknown_item": 0}
    exposures = [builder.close("1", _panel(["a"], 0.1)).exposures.sum() for _ in range(3)]
    assert exposures == [0, 0, 2]


def test_a_salt_that_changed_in_the_middle_of_an_epoch_makes_its_nudges_unknown():
    builder = CellBuilder(1, 1, first_epoch=0)
    builder.add(_exposures(["a"] * 10, 0, 0.1))
    builder.add(_exposures(["a"] * 10, 0, -0.1))
    assert np.isnan(builder.close("1", _panel(["a"], 0.1)).nudge).all()
    builder.add(_exposures(["a"] * 10, 1, -0.1))
    assert builder.close("1", _panel(["a"], -0.1)).nudge.tolist() == [[-0.1]]


def test_items_beyond_what_there_is_room_for_are_counted():
    builder = CellBuilder(1, 1, first_epoch=0, most_items=2)
    builder.add(_exposures(["a", "b", "c", "c"], 0, 0.1))
    assert builder.dropped["unknown_item"] == 2


def test_items_of_the_panel_come_before_those_that_are_only_shown():
    builder = CellBuilder(1, 1, first_epoch=0, most_items=4)
    for epoch in range(6):
        panel = [f"p{epoch}", f"p{epoch + 1}"]
        builder.add(_exposures([*(f"s{epoch}-{n}" for n in range(9)), *panel], epoch, 0.1))
        cells = builder.close("1", _panel(panel, 0.1))
        assert int(np.isfinite(cells.raw_score).sum()) == 2
        assert builder.unplaced == 0
    builder.close("1", _panel([f"q{n}" for n in range(5)], 0.1))
    assert builder.unplaced > 0


def test_the_slot_of_an_item_that_went_is_given_to_a_fresh_one():
    builder = CellBuilder(1, 1, first_epoch=0, most_items=2)
    builder.close("1", _panel(["a", "b"], 0.1))
    gone = builder.close("1", _panel(["a"], 0.1))
    assert gone.present.tolist() == [[True, True]]
    assert np.isnan(gone.raw_score[0, 1])
    assert builder.close("1", _panel(["a"], 0.1)).present.tolist() == [[True, False]]
    came = builder.close("1", _panel(["a", "c"], 0.1))
    assert builder.items == ["a", "c"]
    assert came.fresh.tolist() == [[False, True]]


def test_a_million_items_fit_into_what_is_promised():
    """The stated bound of a detector's memory: 6 numbers a value and 14 besides, for each item."""
    n = 1_000_000
    cells = EpochCells(
        0,
        "1",
        np.ones((1, n), np.bool_),
        np.ones((1, n), np.bool_),
        np.zeros((1, n)),
        np.zeros((1, 1, n)),
        np.full((1, n), 0.1),
        np.ones((1, n)),
        np.zeros((1, n)),
    )
    detector = total_score(["model"])
    detector.update(cells)
    held = sum(array.nbytes for array in detector.state().values())
    assert held <= 8 * n * (6 + 14) + 10_000


def test_items_that_the_panel_leaves_out_contradict_no_nudge():
    builder, nudge = CellBuilder(1, 1, first_epoch=0), np.array([0.2, -0.2])
    shown = pa.array(["a", "b", *(f"outside-{number}" for number in range(20))])
    n = len(shown)
    builder.add(
        ExposureColumns(
            shown, np.zeros(n, np.int64), np.zeros(n, np.int64), np.r_[nudge, np.full(20, 0.2)], np.zeros(n)
        )
    )
    panel = PanelColumns(pa.array(["a", "b"]), np.zeros(2, np.int64), np.zeros(2), np.zeros((2, 1)), nudge)
    cells = builder.close("1", panel)
    assert cells.nudge[0][cells.present[0]].tolist() == [0.2, -0.2]
