"""A training set has what was seen, with what followed within its window, and says what it has not."""

import numpy as np
import pyarrow as pa
import pytest

from feature_store.schema.exposures import EXPOSURE_FIELDS
from feature_store.views import FeatureService, IdColumn
from ranker.training.datasets.dataset import Dataset, check
from ranker.training.datasets.from_exposures import from_exposures

SERVICE = FeatureService("s", ("user.a",), ("item.b",), (IdColumn("item", "item_id"),), "fp")
SHOWN_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
END = {"item_id": "end", "user_id": "u9", "request_id": "end", "impression_time_ms": SHOWN_MS + 100 * HOUR_MS}
"""An exposure so late that the windows of all others are over; its own is not."""


def exposure(item_id: str, clicked_after_ms: int | None = None, **changes: object) -> dict[str, object]:
    clicked = clicked_after_ms is not None
    return {
        "request_id": "r1",
        "user_id": "u1",
        "item_id": item_id,
        "fingerprint": "fp",
        "finalize_time_ms": SHOWN_MS - 5,
        "propensity": 0.5,
        "features": [1.0, 2.0],
        "ids": [7],
        "position_seen": 0,
        "impression_time_ms": SHOWN_MS,
        "outcomes": [("click", 1.0)] if clicked else [],
        "outcome_time_ms": SHOWN_MS + clicked_after_ms if clicked else None,
        "status": "on_time",
        "revision": int(clicked),
        **changes,
    }


def batch(*rows: dict[str, object]) -> pa.RecordBatch:
    kinds = {field.name: field.type for field in EXPOSURE_FIELDS}
    kinds |= {"features": pa.list_(pa.float32(), 2), "ids": pa.list_(pa.int64(), 1)}
    kinds |= {name: pa.string() for name in ("fingerprint", "status", "surface", "policy", "model_version")}
    columns = {name: pa.array([row.get(name) for row in rows], kind) for name, kind in kinds.items()}
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def made(*rows: dict[str, object], weight_max: float = 100.0) -> Dataset:
    end = exposure("end", **{name: value for name, value in END.items() if name != "item_id"})
    return from_exposures(
        [batch(row) for row in (*rows, end)],
        {0: (0, len(rows) + 1)},
        SERVICE,
        label_window_s=3600.0,
        weight_max=weight_max,
    )


def clicks(dataset: Dataset) -> dict[str, float]:
    columns = (dataset.rows["item_id"].to_pylist(), dataset.rows["label.click"].to_pylist())
    return dict(zip(*columns, strict=True))


def test_what_was_seen_and_not_acted_on_is_a_negative() -> None:
    assert clicks(made(exposure("a", 1_000), exposure("b"))) == {"a": 1.0, "b": 0.0}


def test_a_late_label_within_the_window_counts_and_one_after_it_does_not() -> None:
    revisions = (exposure("a"), exposure("a", HOUR_MS), exposure("b"), exposure("b", HOUR_MS + 1))
    dataset = made(*revisions, exposure("c", 10, status="late"))
    assert clicks(dataset) == {"a": 1.0, "b": 0.0, "c": 1.0}
    assert sum(dataset.description.left_out.values()) == 1


def test_an_exposure_first_written_with_a_label_from_after_its_window_is_left_out_and_counted() -> None:
    dataset = made(exposure("a", 1_000), exposure("b", 2 * HOUR_MS))
    assert clicks(dataset) == {"a": 1.0}
    assert dataset.description.left_out["acted on before, but first written after the window"] == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"features": None}, "without features"),
        ({"position_seen": None}, "without a position"),
        ({"fingerprint": "other"}, "served with other features"),
        ({"impression_time_ms": SHOWN_MS + 100 * HOUR_MS}, "whose label window is not over"),
    ],
)
def test_what_cannot_be_learned_from_is_left_out_and_counted(changes: dict[str, object], reason: str) -> None:
    without = made(exposure("a", 1_000)).description.left_out
    dataset = made(exposure("a", 1_000), exposure("b", **changes))
    assert clicks(dataset) == {"a": 1.0}
    [counted] = [name for name in dataset.description.left_out if name.startswith(reason)]
    assert dataset.description.left_out[counted] == without.get(counted, 0) + 1


def test_what_contradicts_itself_is_left_out_and_counted_and_refuses_nothing_else() -> None:
    early, again = exposure("b", -1), exposure("a", impression_time_ms=SHOWN_MS + 2 * HOUR_MS)
    other_user = exposure("a", request_id="r2", user_id="u2")
    dataset = made(exposure("a", 1_000), again, early, other_user)
    check(dataset)
    assert dataset.rows.select(["request_id", "item_id", "label.click"]).to_pylist() == [
        {"request_id": "r1", "item_id": "a", "label.click": 1.0},
        {"request_id": "r2", "item_id": "a", "label.click": 0.0},
    ]
    left_out = dataset.description.left_out
    assert left_out["acted on before they were seen, by the clocks of clients"] == 1
    assert left_out["seen again under the same request"] == 1


def test_features_are_as_served_by_name_and_weights_are_clipped() -> None:
    dataset = made(exposure("a", 1_000), exposure("b", propensity=0.001), exposure("c", propensity=None))
    row = dataset.rows.slice(0, 1).to_pylist()[0]
    assert (row["feature.user.a"], row["feature.item.b"], row["id.item"]) == (1.0, 2.0, 7)
    assert dataset.rows["importance_weight"].to_pylist() == [2.0, 100.0, None]
    assert dataset.rows["feature.user.a"].type == pa.float32()


def test_where_somebody_else_displayed_the_item_their_propensity_counts() -> None:
    dataset = made(exposure("a", 1_000, propensity_seen=0.25))
    assert dataset.rows["propensity"].to_pylist() == [0.25]


def drawn(**arms: str) -> list[dict[str, object]]:
    return [{"experiment": name, "variant": arm, "propensity": 0.5} for name, arm in arms.items()]


def in_experiments() -> Dataset:
    """Where it was seen is not what tells whether chance chose it: the slot is one of the answer."""
    as_served = {"policy": "greedy", "model_version": "m:3", "raw_score": 0.25, "position_seen": 9}
    return made(
        exposure(
            "a",
            1_000,
            nudge=0.125,
            published_score=0.375,
            position=1,
            assignments=drawn(nudges="5a/7", exploration="slot_1"),
            **as_served,
        ),
        exposure(
            "b",
            nudge=0.0,
            published_score=0.25,
            position=2,
            assignments=drawn(holdout="holdout"),
            **as_served,
        ),
    )


def test_a_row_says_how_it_came_to_be_shown() -> None:
    nudged, held = in_experiments().rows.to_pylist()
    assert (nudged["raw_score"], nudged["nudge"], nudged["published_score"]) == (0.25, 0.125, 0.375)
    assert (nudged["policy"], nudged["model_version"]) == ("greedy", "m:3")
    assert (nudged["explored"], nudged["held_out"], nudged["position"]) == (True, False, 9)
    assert (held["nudge"], held["explored"], held["held_out"]) == (0.0, False, True)


def test_a_row_has_its_arm_of_each_experiment() -> None:
    rows = in_experiments().rows
    names = ("arm.nudges", "arm.exploration", "arm.holdout")
    assert [rows[name].to_pylist() for name in names] == [["5a/7", None], ["slot_1", None], [None, "holdout"]]


def test_the_description_counts_the_rows_that_experiments_touched() -> None:
    assert in_experiments().description.flagged == {"nudged": 1, "explored": 1, "held_out": 1}


def test_what_our_coins_did_is_no_feature_of_a_row() -> None:
    dataset = in_experiments()
    assert dataset.names("feature.") == ["feature.user.a", "feature.item.b"]
    assert dataset.names("id.") == ["id.item"]


def test_the_description_says_where_the_rows_come_from() -> None:
    description = made(exposure("a", 1_000), exposure("b")).description
    assert (description.service, description.fingerprint, description.offsets) == ("s", "fp", {0: (0, 3)})
    assert description.impressions_from_ms == description.impressions_until_ms == SHOWN_MS


def test_the_same_exposures_in_any_order_make_the_same_rows() -> None:
    rows = [exposure(f"i{n}", n * 10 if n % 2 else None) for n in range(8)]
    order = np.random.default_rng(1).permutation(8)
    assert made(*rows).rows.equals(made(*[rows[at] for at in order]).rows)


def test_no_exposures_make_no_rows_which_are_refused_with_the_reasons() -> None:
    dataset = made()
    with pytest.raises(Exception, match=r"there are no rows; left out: 1 whose label window is not over"):
        check(dataset)
