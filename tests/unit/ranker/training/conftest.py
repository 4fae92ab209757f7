"""What the tests of training share: a small feature service, and exposures of it."""

from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from ranker.training.gate import DEFAULT_GATE, Gate, load_gate
from ranker.training.rows import Rows, rows_of
from ranker.training.synthetic import synthetic_exposures
from triton_models.signature import Recents, Signature

PATIENT_MS = 1e9
"""A test machine may be as slow as it likes."""


@pytest.fixture(scope="session")
def gate() -> Gate:
    """The shipped gate, without its limit in milliseconds."""
    shipped = load_gate()
    return msgspec.structs.replace(
        shipped, latency=msgspec.structs.replace(shipped.latency, max_median_ms=PATIENT_MS)
    )


@pytest.fixture(scope="session")
def update_gate_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped gate of updates, without its limit in milliseconds."""
    path = tmp_path_factory.mktemp("gate") / "gate-update.toml"
    shipped = DEFAULT_GATE.with_name("gate-update.toml").read_text()
    path.write_text(shipped.replace("max_median_ms = 50.0", f"max_median_ms = {PATIENT_MS}"))
    return path


@pytest.fixture(scope="session")
def signature() -> Signature:
    return Signature(
        service="small_v1",
        fingerprint="abc",
        user=("user.a", "user.b"),
        candidate=("item.impression_count_total", "item.click_count_total", "noise", "taste"),
        ids=("item", "genre", "clicked[0]", "clicked[1]", "clicked[2]"),
        recents=(Recents("clicked", "item", 3, ("genre",)),),
    )


@pytest.fixture(scope="session")
def exposures(signature: Signature) -> pa.Table:
    return synthetic_exposures(signature, requests=300, seed=1)


@pytest.fixture(scope="session")
def rows(exposures: pa.Table, signature: Signature) -> Rows:
    return rows_of(exposures, signature)
