"""What contradicts itself or is too young is left out of training and counted; the rest stays."""

from pathlib import Path

import pyarrow as pa
import pytest

from feature_store.clock import ManualClock
from ranker.registry.aliases import MemoryAliases
from ranker.registry.folders import ModelFolders
from ranker.registry.registry import ModelRegistry
from ranker.registry.training_data import TrainingData
from ranker.training.errors import TrainingError
from ranker.training.learning import Plan
from ranker.training.publish import Publisher
from ranker.training.run import train
from ranker.training.sound import sound
from ranker.triton.embedded import EmbeddedClient
from triton_models.signature import Signature

EARLY = "acted on before they were seen, by the clocks of clients"
AGAIN = "seen again under the same request"
YOUNG = "whose label window is not over"


def table(*rows: tuple[str, str | None, str, int, int | None]) -> pa.Table:
    """Of (user, request, item, impression, outcome)."""
    names = ("user_id", "request_id", "item_id", "impression_time_ms", "outcome_time_ms")
    kinds = (pa.string(), pa.string(), pa.string(), pa.int64(), pa.int64())
    columns = zip(*rows, strict=True)
    return pa.table({n: pa.array(c, k) for n, c, k in zip(names, columns, kinds, strict=True)})


EXPOSURES = table(
    ("u1", "r1", "a", 900, None),
    ("u1", "r1", "a", 100, 150),
    ("u1", "r1", "b", 100, 100),
    ("u2", "r2", "a", 300, 299),
    ("u2", None, "a", 400, None),
    ("u2", None, "a", 500, None),
)


def test_the_first_impression_of_an_item_counts_and_what_has_no_request_repeats_nothing() -> None:
    kept, left_out = sound(EXPOSURES)
    assert kept["impression_time_ms"].to_pylist() == [100, 100, 400, 500]
    assert left_out == {EARLY: 1, AGAIN: 1}


def test_what_may_be_acted_on_still_is_no_negative() -> None:
    kept, left_out = sound(EXPOSURES, window_ms=500)
    assert kept["impression_time_ms"].to_pylist() == [100, 100, 400]
    assert left_out == {EARLY: 1, AGAIN: 1, YOUNG: 1}


@pytest.mark.parametrize(
    ("window_ms", "told"),
    [(None, f"of one user.*left out: 1 {EARLY}, 1 {AGAIN}"), (10_000, f"no exposures.* 4 {YOUNG}")],
)
def test_a_training_says_what_it_left_out_where_too_little_is_left(
    tmp_path: Path, signature: Signature, window_ms: int | None, told: str
) -> None:
    registry = ModelRegistry(ModelFolders(tmp_path / "models"), MemoryAliases(), ManualClock())
    inference = EmbeddedClient(tmp_path / "models", signature.fingerprint)
    publisher = Publisher(registry, inference, signature, TrainingData(tmp_path / "data"))
    lone = EXPOSURES.slice(0, 4) if window_ms is None else EXPOSURES
    with pytest.raises(TrainingError, match=told):
        train(lone, publisher, Plan(label_window_ms=window_ms), lambda *_: None, 0)
