"""Exposures become rows in the order of time; what cannot be learned from is refused by name."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ranker.training.errors import TrainingError
from ranker.training.rows import Rows, rows_of
from triton_models.signature import Signature


def replaced(table: pa.Table, column: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(column), column, values)


def test_rows_hold_what_was_served(rows: Rows, exposures: pa.Table) -> None:
    assert (len(rows), rows.requests) == (3_600, 300)
    assert np.array_equal(np.diff(rows.starts), np.full(300, 12))
    served = exposures["features"].combine_chunks().flatten().to_numpy().reshape(3_600, 6)
    assert np.array_equal(np.sort(rows.dense[:, 5]), np.sort(served[:, 5]))
    assert np.array_equal(rows.request, np.repeat(np.arange(300), 12))


def test_the_order_of_exposures_does_not_matter(
    exposures: pa.Table, rows: Rows, signature: Signature
) -> None:
    shuffled = exposures.take(pa.array(np.random.default_rng(3).permutation(len(exposures))))
    again = rows_of(shuffled, signature)
    assert np.array_equal(again.dense, rows.dense)
    assert np.array_equal(again.ids, rows.ids)
    assert np.array_equal(again.labels["click"], rows.labels["click"])


def test_requests_are_in_the_order_of_time(exposures: pa.Table, signature: Signature) -> None:
    backwards = replaced(exposures, "finalize_time_ms", pc.negate(exposures["finalize_time_ms"]))
    found = rows_of(backwards, signature)
    assert (np.diff(found.time_ms) > 0).all()


def test_what_was_not_seen_is_left_out(exposures: pa.Table, signature: Signature) -> None:
    seen = exposures["position_seen"].to_numpy() < 5
    position = pa.array(exposures["position_seen"].to_numpy(), pa.int32(), mask=~seen)
    found = rows_of(replaced(exposures, "position_seen", position), signature)
    assert len(found) == seen.sum()
    assert (found.position < 5).all()


def test_an_action_becomes_a_head_once_it_is_frequent(exposures: pa.Table, signature: Signature) -> None:
    def outcome(number: int) -> list[tuple[str, float]]:
        common = [("like", 1.0)] if number % 10 == 0 else []
        rare = [("reply", 1.0)] if number % 1_000 == 0 else []
        nothing = [("dwell", 0.0)]
        return [("click", 1.0), *common, *rare, *nothing]

    outcomes = pa.array([outcome(n) for n in range(len(exposures))], pa.map_(pa.string(), pa.float64()))
    found = rows_of(replaced(exposures, "outcomes", outcomes), signature)
    assert list(found.labels) == ["click", "like"]
    assert found.labels["like"].sum() == 360
    assert found.labels["click"].all()


def test_no_exposures_are_refused(exposures: pa.Table, signature: Signature) -> None:
    with pytest.raises(TrainingError, match="none of 0 exposures"):
        rows_of(exposures.slice(0, 0), signature)


def test_exposures_without_a_column_are_refused_by_its_name(
    exposures: pa.Table, signature: Signature
) -> None:
    with pytest.raises(TrainingError, match="'outcomes' is absent"):
        rows_of(exposures.drop_columns(["outcomes"]), signature)


def test_exposures_of_other_features_are_refused_with_both_fingerprints(
    exposures: pa.Table, signature: Signature
) -> None:
    other = replaced(exposures, "fingerprint", pa.array(["def"] * len(exposures)).dictionary_encode())
    with pytest.raises(TrainingError, match=r"def.*abc"):
        rows_of(other, signature)


def test_exposures_nobody_clicked_are_refused(exposures: pa.Table, signature: Signature) -> None:
    nothing = pa.array([[] for _ in range(len(exposures))], pa.map_(pa.string(), pa.float64()))
    with pytest.raises(TrainingError, match="none of 3600 exposures was clicked"):
        rows_of(replaced(exposures, "outcomes", nothing), signature)


def test_exposures_of_one_request_are_refused(exposures: pa.Table, signature: Signature) -> None:
    with pytest.raises(TrainingError, match="one request"):
        rows_of(exposures.slice(0, 12), signature)


def test_features_of_another_width_are_refused(exposures: pa.Table, signature: Signature) -> None:
    narrow = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(len(exposures) * 5, np.float32)), 5)
    with pytest.raises(TrainingError, match="features has 5 values a row, not 6"):
        rows_of(replaced(exposures, "features", narrow), signature)
