"""What the tests of training share: a small feature service, and exposures of it."""

import pyarrow as pa
import pytest

from ranker.training.rows import Rows, rows_of
from ranker.training.synthetic import synthetic_exposures
from triton_models.signature import Signature


@pytest.fixture(scope="session")
def signature() -> Signature:
    return Signature(
        service="small_v1",
        fingerprint="abc",
        user=("user.a", "user.b"),
        candidate=("item.impression_count_total", "item.click_count_total", "noise", "taste"),
        ids=("item", "genre"),
    )


@pytest.fixture(scope="session")
def exposures(signature: Signature) -> pa.Table:
    return synthetic_exposures(signature, requests=300, seed=1)


@pytest.fixture(scope="session")
def rows(exposures: pa.Table, signature: Signature) -> Rows:
    return rows_of(exposures, signature)
