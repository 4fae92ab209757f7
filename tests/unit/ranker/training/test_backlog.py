"""What is new is told from what is known, by where it was read."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from prometheus_client import CollectorRegistry

from feature_store.clock import ManualClock
from feature_store.schema.exposures import LATE
from ranker.training.backlog import Backlog
from ranker.training.synthetic import synthetic_exposures
from ranker.training.trainer_metrics import TrainerMetrics
from triton_models.signature import Signature

PER_REQUEST = 12


class Sorted:
    """A backlog, and what it told."""

    def __init__(self, kept_requests: int) -> None:
        self.metrics = CollectorRegistry()
        self.backlog = Backlog(kept_requests, TrainerMetrics(self.metrics, ManualClock()))

    def passed_over(self, reason: str) -> float | None:
        return self.metrics.get_sample_value("eddyline_trainer_not_new_total", {"reason": reason})


@pytest.fixture
def exposures(signature: Signature) -> pa.Table:
    table = synthetic_exposures(signature, requests=10)
    table = table.append_column("log_partition", pa.array([0] * len(table), pa.int32()))
    return table.append_column("log_offset", pa.array(range(len(table)), pa.int64()))


def replaced(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def late(table: pa.Table) -> pa.Table:
    table = replaced(table, "status", pa.array([LATE] * len(table)).dictionary_encode())
    return replaced(table, "revision", pc.add(table["revision"], 1).cast(pa.int32()))


def test_a_late_outcome_of_a_ranking_that_is_kept_no_longer_is_no_ranking(exposures: pa.Table) -> None:
    world = Sorted(kept_requests=5)
    world.backlog.add(exposures)
    world.backlog.settle()
    world.backlog.add(late(exposures.slice(0, 1)))
    world.backlog.add(late(exposures.slice(9 * PER_REQUEST, 1)))
    assert world.backlog.new_requests == 0
    assert (world.passed_over("forgotten"), world.passed_over("revised")) == (1, 1)


def test_a_ranking_of_which_some_outcomes_were_late_when_it_was_first_read_is_new(
    exposures: pa.Table,
) -> None:
    world = Sorted(kept_requests=5)
    first = exposures.slice(0, PER_REQUEST)
    world.backlog.add(pa.concat_tables([late(first.slice(0, 1)), first.slice(1)]).unify_dictionaries())
    assert world.backlog.new_requests == 1
    assert len(world.backlog.new) == PER_REQUEST


def test_organic_exposures_are_no_ranking_of_ours(exposures: pa.Table) -> None:
    world = Sorted(kept_requests=5)
    world.backlog.add(replaced(exposures, "request_id", pa.nulls(len(exposures), pa.string())))
    assert world.backlog.new_requests == 0
