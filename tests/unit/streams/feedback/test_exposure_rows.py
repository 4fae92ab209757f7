"""Columns of exposures, as detectors read them, beside a loop over rows."""

import numpy as np
import pyarrow as pa
import pytest

from feature_store.schema.categorical import Categorical
from streams.feedback.exposure_rows import ExposureRows
from tests.unit.streams.feedback.exposure_log import exposures

VARIANTS = {
    "exploration": ["none", "slot_0", "slot_1", "slot_2", "slot_x", "slot_", "slot_" + "9" * 40],
    "holdout": ["treatment", "holdout"],
    "nudges": ["salt/1", "salt/2"],
}


def logged(rng: np.random.Generator, n: int) -> pa.RecordBatch:
    """Rows whose requests drew in some experiments, in any order, or logged nothing."""
    drawn = [
        None
        if rng.random() < 0.1
        else [
            {"experiment": name, "variant": str(rng.choice(VARIANTS[name])), "propensity": rng.random()}
            for name in rng.permutation(list(VARIANTS)).tolist()
            if rng.random() < 0.7
        ]
        for _ in range(n)
    ]
    outcomes = [
        None
        if rng.random() < 0.1
        else [(action, float(rng.integers(0, 3))) for action in ("like", "click") if rng.random() < 0.5]
        for _ in range(n)
    ]
    return exposures(
        n,
        assignments=drawn,
        outcomes=outcomes,
        position=[None if rng.random() < 0.1 else int(rng.integers(0, 4)) for _ in range(n)],
        served_time_ms=[None if rng.random() < 0.1 else 7 for _ in range(n)],
        status=[str(rng.choice(["on_time", "late"])) if rng.random() < 0.9 else None for _ in range(n)],
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_part_of_a_batch_is_read_as_its_rows_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = logged(rng, 60)
    start, n = int(rng.integers(0, 30)), int(rng.integers(0, 30))
    part = whole.slice(start, n)
    rows, plain = ExposureRows(part), part.to_pylist()
    draws = [{each["experiment"]: each for each in row["assignments"] or []} for row in plain]
    assert rows.clicked.tolist() == [float(dict(row["outcomes"] or []).get("click", 0) > 0) for row in plain]
    assert rows.first.tolist() == [row["status"] == "on_time" for row in plain]
    assert rows.ranked.tolist() == [row["served_time_ms"] is not None for row in plain]
    assert rows.held_out.tolist() == [each.get("holdout", {}).get("variant") == "holdout" for each in draws]
    assert rows.explored.tolist() == [
        each.get("exploration", {}).get("variant") == f"slot_{row['position']}"
        for row, each in zip(plain, draws, strict=True)
    ]
    for name in (*VARIANTS, "another"):
        drawn = rows.draws.of(name)
        assert drawn.drew.tolist() == [name in each for each in draws]
        propensity = [each[name]["propensity"] if name in each else np.nan for each in draws]
        assert np.array_equal(drawn.propensity, propensity, equal_nan=True)
    assert rows.draws.experiments == sorted({name for each in draws for name in each})


def test_a_table_of_several_parts_is_read_as_one() -> None:
    batch = logged(np.random.default_rng(1), 20)
    whole, parts = (
        ExposureRows(batch),
        ExposureRows(pa.Table.from_batches([batch.slice(0, 7), batch.slice(7)])),
    )
    assert parts.clicked.tolist() == whole.clicked.tolist()
    assert parts.explored.tolist() == whole.explored.tolist()
    assert parts.first.tolist() == whole.first.tolist()


def test_texts_are_numbered_once_each_and_nulls_are_none_of_them() -> None:
    asked: list[str] = []

    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    texts = Categorical.of(pa.array(["a", None, "bcd", "a"]))
    assert texts.numbers(length).tolist() == [1, -1, 3, 1]
    assert asked == ["a", "bcd"]
    assert texts.equal("a").tolist() == [True, False, False, True]
    assert texts.where(np.array([True, True, False, False])).counts() == {"a": 1}
