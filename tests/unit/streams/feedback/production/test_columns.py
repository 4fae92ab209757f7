import numpy as np
import pyarrow as pa
import pytest

from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.production.columns import exposure_columns
from tests.unit.streams.feedback.exposure_log import scored

EPOCH_MS = 4_000
SERVED_MS = 1_000 * EPOCH_MS + 20


def served(model: str, ids: list[str], **columns: object) -> pa.RecordBatch:
    """Exposures of epoch 1000."""
    none = np.zeros(len(ids))
    return scored(ids, raw=none, nudge=none, clicked=none, served_time_ms=SERVED_MS, model=model, **columns)


def epochs(*assigned: list[tuple[str, str]] | None) -> list[int]:
    """Of exposures of epoch 1000 that were ``assigned`` (experiment, variant)s."""
    logged = [
        None if each is None else [{"experiment": e, "variant": v, "propensity": 1.0} for e, v in each]
        for each in assigned
    ]
    rows = served("timeline_ranker:3", [f"i{number}" for number in range(len(assigned))], assignments=logged)
    columns, dropped = exposure_columns(ExposureRows(rows), ["timeline_ranker"], EPOCH_MS)
    assert not any(dropped.values())
    return columns.epoch.tolist()


def test_an_answer_that_an_epochs_end_overtook_belongs_to_the_epoch_whose_nudge_it_got() -> None:
    before, now = [("holdout", "x"), ("nudges", "salt/999")], [("nudges", "salt/1000")]
    assert epochs(before, now, before) == [999, 1000, 999]


@pytest.mark.parametrize("variant", ["salt", "salt/", "salt/-3", "salt/two", "salt/" + "9" * 40])
def test_what_names_no_epoch_belongs_to_the_one_it_was_served_in(variant: str) -> None:
    assert epochs([("nudges", variant)]) == [1000]


def test_without_nudges_exposures_belong_to_the_epoch_they_were_served_in() -> None:
    assert epochs(None, [], [("exploration", "none/7")]) == [1000, 1000, 1000]


def test_exposures_belong_to_the_model_that_caused_them_and_those_of_others_are_counted() -> None:
    by_model = [("feed:3", ["a", "b"]), ("related:1", ["c"]), ("feeder:1", ["d"]), ("feed:4", ["e"])]
    parts = [served(model, ids) for model, ids in by_model]
    rows = pa.Table.from_batches(parts).unify_dictionaries().combine_chunks().to_batches()[0]
    columns, dropped = exposure_columns(ExposureRows(rows), ["related", "feed"], EPOCH_MS)
    assert columns.item_id.to_pylist() == ["a", "b", "c", "e"]
    assert columns.subject.tolist() == [1, 1, 0, 1]
    assert dropped == {"not_ranked": 0, "revision": 0, "no_propensity": 0, "unknown_model": 1}
