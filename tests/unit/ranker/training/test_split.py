"""Parts lie one after the other in time."""

import numpy as np
import pytest

from ranker.training.errors import TrainingError
from ranker.training.rows import Rows
from ranker.training.split import split


def test_each_part_is_later_than_the_one_before(rows: Rows) -> None:
    parts = split(rows, fraction=0.8)
    assert (parts.train.requests, parts.validation.requests, parts.test.requests) == (210, 30, 60)
    assert parts.train.time_ms[-1] < parts.validation.time_ms[0]
    assert parts.validation.time_ms[-1] < parts.test.time_ms[0]


def test_parts_together_are_all_rows(rows: Rows) -> None:
    parts = split(rows)
    joined = [parts.train.dense, parts.validation.dense, parts.test.dense]
    assert np.array_equal(np.concatenate(joined), rows.dense)


def test_nothing_after_the_moment_given_is_learned_from(rows: Rows) -> None:
    moment = int(rows.time_ms[99])
    parts = split(rows, until_time_ms=moment)
    assert parts.validation.time_ms[-1] == moment
    assert parts.test.requests == 200


@pytest.mark.parametrize("moment", [0, 2_000_000_000_000])
def test_a_moment_that_leaves_a_part_empty_is_refused(rows: Rows, moment: int) -> None:
    with pytest.raises(TrainingError, match=r"part has 0 of 300 requests"):
        split(rows, until_time_ms=moment)
