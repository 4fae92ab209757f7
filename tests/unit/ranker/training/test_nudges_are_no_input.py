"""A trap of loop detection: a model that reads its own nudges answers to them in its next raw scores."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from ranker.training.fit import Parameters, fit
from ranker.training.predict import predict
from ranker.training.provenance import weights_digest
from ranker.training.rows import Rows, kept_columns, rows_of
from tests.unit.ranker.training.shown import DELTA, shown
from triton_models.signature import Signature

QUICK = Parameters(epochs=2, learning_rate=5e-3)
IN_ORDER = [(name, "ascending") for name in ("finalize_time_ms", "request_id", "item_id")]


def quiet(epoch: int, epochs: int, value: float | None) -> None:
    """Nobody watches."""


def naive_rows(exposures: pa.Table, signature: Signature) -> Rows:
    """As ours, but the published score is one of the inputs."""
    rows = rows_of(exposures, signature)
    published = exposures.sort_by(IN_ORDER)["published_score"].to_numpy().astype(np.float32)
    return replace(rows, dense=np.column_stack([rows.dense, published]))


def nudged_up(exposures: pa.Table) -> np.ndarray:
    return np.sign(exposures.sort_by(IN_ORDER)["nudge"].to_numpy())


def test_a_model_that_reads_the_published_score_answers_to_nudges(
    exposures: pa.Table, signature: Signature
) -> None:
    """The next scores of the same items are compared, had they been nudged the other way."""
    there, back = shown(exposures), shown(exposures, turned=-1.0)
    net = fit(naive_rows(there, signature), None, 2, QUICK, quiet).net
    up, down = (predict(net, naive_rows(table, signature), 2)["click"] for table in (there, back))
    signs = nudged_up(there)
    beta = float(((up - down) * signs)[signs != 0].mean()) / (2 * DELTA)
    assert beta > 0.02


def test_ours_learns_the_same_bits_whatever_the_nudges_were(
    exposures: pa.Table, signature: Signature
) -> None:
    digests = {
        weights_digest(fit(rows_of(table, signature), None, 2, QUICK, quiet).net.state_dict())
        for table in (exposures, shown(exposures), shown(exposures, turned=-1.0))
    }
    assert len(digests) == 1


def test_what_is_kept_for_a_rebuild_says_how_each_row_was_shown(
    exposures: pa.Table, signature: Signature
) -> None:
    table = shown(exposures)
    kept = kept_columns(table)
    for name in (
        "raw_score",
        "nudge",
        "published_score",
        "policy",
        "model_version",
        "assignments",
        "position",
    ):
        assert kept[name].equals(table[name])
    assert np.array_equal(rows_of(kept, signature).dense, rows_of(exposures, signature).dense)
