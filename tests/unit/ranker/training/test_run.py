"""A training from exposures to the champion, served in process."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feature_store.clock import ManualClock
from ranker.registry.aliases import MemoryAliases
from ranker.registry.bootstrap import bootstrap
from ranker.registry.folders import ModelFolders
from ranker.registry.models import AliasConflict, ModelId
from ranker.registry.registry import ModelRegistry
from ranker.registry.training_data import TrainingData
from ranker.training.errors import TrainingError
from ranker.training.fit import Parameters
from ranker.training.gate import Gate
from ranker.training.learning import Plan
from ranker.training.publish import Publisher
from ranker.training.rows import rows_of
from ranker.training.run import Trained
from ranker.training.run import train as train_with_gate
from ranker.training.synthetic import synthetic_exposures
from ranker.triton.embedded import EmbeddedClient
from tests.unit.ranker.training.shown import shown
from triton_models.signature import Signature

PLAN = Plan(Parameters(epochs=4, learning_rate=5e-3))
NOW_MS = 1_700_000_000_000


def quiet(epoch: int, epochs: int, value: float | None) -> None:
    """Nobody watches."""


Train = Callable[..., Trained]


@pytest.fixture(scope="module")
def train(gate: Gate) -> Train:
    return partial(train_with_gate, gate=gate)


@pytest.fixture(scope="module")
def exposures(signature: Signature) -> pa.Table:
    return synthetic_exposures(signature, requests=150, seed=1)


@pytest.fixture
def publisher(tmp_path: Path, signature: Signature) -> Publisher:
    folders = ModelFolders(tmp_path / "models")
    bootstrap(folders, signature, ManualClock())
    registry = ModelRegistry(folders, MemoryAliases(), ManualClock())
    inference = EmbeddedClient(tmp_path / "models", signature.fingerprint)
    return Publisher(registry, inference, signature, TrainingData(tmp_path / "training-data"))


def champion_of(publisher: Publisher) -> str:
    found = publisher.registry.resolve("champion")
    assert found is not None
    return str(found.id)


def test_a_better_model_becomes_the_champion(train: Train, publisher: Publisher, exposures: pa.Table) -> None:
    trained = train(exposures, publisher, PLAN, quiet, NOW_MS)
    assert trained.promoted
    assert champion_of(publisher) == "timeline_ranker/1"
    assert publisher.registry.aliased() == {ModelId("timeline_ranker", "1"), ModelId("counters", "1")}
    assert "counters/1" in trained.reason
    assert publisher.registry.history()[1].reason == trained.reason


def test_the_table_compares_it_with_what_is_simple_and_with_the_champion(
    train: Train, publisher: Publisher, exposures: pa.Table
) -> None:
    evaluation = train(exposures, publisher, PLAN, quiet, NOW_MS).evaluation
    values = {result.ranker: result.ndcg_at_10 for result in evaluation.results}
    assert list(values) == [
        "random",
        "displayed order",
        "popularity",
        "item CTR",
        "LightGBM",
        "champion, counters/1",
        "new model",
    ]
    assert values["champion, counters/1"] == pytest.approx(values["item CTR"])
    assert values["random"] < values["item CTR"] < values["new model"]


def test_the_version_says_where_it_comes_from(
    train: Train, publisher: Publisher, exposures: pa.Table
) -> None:
    model = train(exposures, publisher, PLAN, quiet, NOW_MS, offsets={0: (5, 9)}).model
    written = publisher.registry.find("timeline_ranker")
    assert written == model
    assert (written.fingerprint, written.seed, written.created_time_ms) == ("abc", 1, NOW_MS)
    assert written.data["test"]["requests"] == 30
    assert written.parameters["epochs"] == 4
    assert len(written.evaluation["results"]) == 7
    assert written.lineage is not None
    assert written.lineage.offsets == {0: (5, 9)}
    assert written.lineage.policies == {}


def test_without_promotion_it_is_loaded_and_nothing_else(
    train: Train, publisher: Publisher, exposures: pa.Table
) -> None:
    plan = Plan(PLAN.parameters, promote=False)
    trained = train(exposures, publisher, plan, quiet, NOW_MS)
    assert not trained.promoted
    assert champion_of(publisher) == "counters/1"
    assert publisher.inference.ready("timeline_ranker", "1")


def test_a_model_worse_than_the_champion_is_not_promoted(
    train: Train, publisher: Publisher, exposures: pa.Table, signature: Signature
) -> None:
    train(exposures, publisher, PLAN, quiet, NOW_MS)
    barely = Plan(Parameters(epochs=1, learning_rate=1e-6))
    trained = train(exposures, publisher, barely, quiet, NOW_MS)
    assert not trained.promoted
    assert champion_of(publisher) == "timeline_ranker/1"
    assert "timeline_ranker/1" in trained.reason


def test_a_champion_that_moved_meanwhile_is_not_replaced(
    train: Train, publisher: Publisher, exposures: pa.Table
) -> None:
    def on_call(epoch: int, epochs: int, value: float | None) -> None:
        if epoch == 1:
            publisher.registry.promote(
                ModelId("reference", "1"), expected=ModelId("counters", "1"), reason="on-call"
            )

    with pytest.raises(AliasConflict, match="champion points to reference/1"):
        train(exposures, publisher, PLAN, on_call, NOW_MS)
    assert champion_of(publisher) == "reference/1"


def test_versions_older_than_the_last_two_are_set_aside_unless_an_alias_names_them(
    train: Train, publisher: Publisher, exposures: pa.Table
) -> None:
    plan = Plan(Parameters(epochs=1), promote=False)
    retired = [train(exposures, publisher, plan, quiet, NOW_MS).retired for _ in range(4)]
    assert retired == [(), (), (ModelId("timeline_ranker", "1"),), (ModelId("timeline_ranker", "2"),)]
    assert publisher.registry.folders.versions("timeline_ranker") == ("3", "4")
    assert publisher.registry.find("timeline_ranker/1").version == "1"


def test_a_second_head_joins_the_configuration(
    train: Train, publisher: Publisher, signature: Signature, tmp_path: Path
) -> None:
    table = synthetic_exposures(signature, requests=100, seed=2)
    outcomes = [[*clicks, ("like", 1.0)] for clicks in table["outcomes"].to_pylist()]
    column = pa.array(outcomes, pa.map_(pa.string(), pa.float64()))
    table = table.set_column(table.column_names.index("outcomes"), "outcomes", column)
    trained = train(table, publisher, PLAN, quiet, NOW_MS)
    assert trained.model.heads == ("click", "like", "click_spread", "like_spread")
    assert '"like"' in (tmp_path / "model-servers/timeline_ranker/config.pbtxt").read_text()


def test_exposures_of_other_features_touch_nothing(
    train: Train, publisher: Publisher, signature: Signature
) -> None:
    other = Signature(
        "small_v1", "def", signature.user, signature.candidate, signature.ids, signature.recents
    )
    with pytest.raises(TrainingError, match=r"def.*abc"):
        train(synthetic_exposures(other, requests=50), publisher, PLAN, quiet, NOW_MS)
    assert publisher.registry.folders.names() == ("counters", "reference")


def test_a_loaded_model_that_answers_otherwise_is_noticed(
    train: Train, publisher: Publisher, exposures: pa.Table
) -> None:
    trained = train(exposures, publisher, Plan(Parameters(epochs=1), promote=False), quiet, NOW_MS)
    sample = rows_of(exposures, publisher.signature).between(0, 1)
    wrong = {"click": np.full(len(sample), 2.0, np.float32)}
    with pytest.raises(TrainingError, match=r"serves click .* away"):
        publisher.verify(trained.model, sample, wrong)


@pytest.mark.parametrize(("file", "length"), [("model.pt", 1_000), ("model.pt", 0), ("metadata.json", 40)])
def test_a_damaged_champion_is_not_measured_and_can_be_replaced(
    train: Train, publisher: Publisher, exposures: pa.Table, tmp_path: Path, file: str, length: int
) -> None:
    train(exposures, publisher, PLAN, quiet, NOW_MS)
    spoiled = tmp_path / "models/timeline_ranker/1" / file
    spoiled.write_bytes(spoiled.read_bytes()[:length])
    trained = train(exposures, publisher, PLAN, quiet, NOW_MS)
    assert trained.promoted
    assert champion_of(publisher) == "timeline_ranker/2"
    assert trained.evaluation.find("champion, timeline_ranker/1") is None
    assert "not measured: model timeline_ranker/1 is damaged" in trained.reason
    assert publisher.registry.history()[1].reason == trained.reason


def test_the_version_says_how_many_of_its_rows_experiments_touched(
    train: Train, publisher: Publisher, exposures: pa.Table
) -> None:
    plan = Plan(Parameters(epochs=1), promote=False)
    lineage = train(shown(exposures), publisher, plan, quiet, NOW_MS).model.lineage
    assert lineage is not None
    assert lineage.policies == {"greedy:1": 1.0}
    assert lineage.experiments == {"nudged": 0.8, "explored": pytest.approx(0.2 / 12), "held_out": 0.2}
    kept = publisher.training_data.get(lineage.training_data)
    assert kept["nudge"].to_pylist() == shown(exposures)["nudge"].to_pylist()
