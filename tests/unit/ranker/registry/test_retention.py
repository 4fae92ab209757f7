"""What nothing needs is removed, with its rows; what a rebuild or an alias needs is not."""

from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from feature_store.clock import ManualClock
from ranker.registry.aliases import MemoryAliases
from ranker.registry.folders import ModelFolders
from ranker.registry.models import Environment, Lineage, ModelId, ModelMetadata, RegistryError
from ranker.registry.registry import ModelRegistry
from ranker.registry.retention import damaged, prunable, prune
from ranker.registry.training_data import TrainingData

DAY_MS = 86_400_000
LEARNED = ModelMetadata(
    name="timeline_ranker",
    service="timeline_v1",
    fingerprint="abc",
    user_columns=(),
    candidate_columns=("clicks",),
    id_columns=(),
    heads=("click",),
)


class World:
    """Versions, one a day, each of rows of its own unless told otherwise."""

    def __init__(self, home: Path) -> None:
        self.data = TrainingData(home / "training-data")
        self.folders = ModelFolders(home / "models")
        self.aliases = MemoryAliases()
        self.registry = ModelRegistry(self.folders, self.aliases, ManualClock())
        self.days = 0

    def add(self, parent: int | None = None, rows: int | None = None, *, served: bool = False) -> str:
        self.days += 1
        made = msgspec.structs.replace(
            LEARNED, created_time_ms=self.days * DAY_MS, lineage=self._lineage(parent, rows or self.days)
        )
        added = self.registry.register(made, {}).id
        self.folders.write_checks(added, [])
        if not served:
            self.folders.retire(added)
        return str(added)

    def pruned(self, before_day: int, *keep: str) -> list[str]:
        found = prunable(self.registry, before_day * DAY_MS, [ModelId.parse(model) for model in keep])
        prune(self.registry, self.data, found)
        return [str(model.id) for model in found]

    def rows_of(self, model: str) -> pa.Table:
        lineage = self.registry.find(model).lineage
        assert lineage is not None
        return self.data.get(lineage.training_data)

    def _lineage(self, parent: int | None, rows: int) -> Lineage:
        return Lineage(
            training_data=self.data.put(pa.table({"row": [rows]})),
            weights="w",
            environment=Environment("cpu", 1, "torch", "lock"),
            parent=f"timeline_ranker/{parent}" if parent else None,
            offsets={},
            label_window_ms=0,
            policies={},
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_old_versions_that_were_set_aside_go_with_their_rows(world: World, tmp_path: Path) -> None:
    old, young, latest = world.add(), world.add(), world.add()
    assert world.pruned(2) == [old]
    with pytest.raises(RegistryError, match="timeline_ranker/1"):
        world.registry.find(old)
    assert world.folders.checks(ModelId.parse(old)) is None
    assert len(list((tmp_path / "training-data").iterdir())) == 2
    assert world.rows_of(young).num_rows == world.rows_of(latest).num_rows == 1


def test_what_serves_what_an_alias_points_to_and_what_is_named_stays(world: World) -> None:
    world.add(served=True)
    aliased, holdout, gone = world.add(), world.add(), world.add()
    world.add()
    world.registry.set_alias("shadow", ModelId.parse(aliased), expected=None, reason="watched")
    assert world.pruned(100, holdout) == [gone]


def test_the_parent_of_what_stays_stays_and_further_ancestors_are_told_to_be_gone(world: World) -> None:
    first = world.add()
    second = world.add(parent=1)
    third = world.add(parent=2, served=True)
    world.add()
    assert world.pruned(100) == [first]
    assert [str(model.id) for model in world.registry.ancestry(third)] == [third, second]


def test_rows_that_another_version_learned_from_stay(world: World) -> None:
    old, other = world.add(rows=7), world.add(rows=7)
    world.add()
    assert world.pruned(2) == [old]
    assert world.rows_of(other)["row"].to_pylist() == [7]


def test_no_number_is_given_twice(world: World) -> None:
    world.add()
    world.add()
    assert world.pruned(100) == ["timeline_ranker/1"]
    assert world.add() == "timeline_ranker/3"


@pytest.mark.parametrize(
    ("where", "others"),
    [("models/timeline_ranker/4", ["1", "2", "3"]), ("retired-models/timeline_ranker/2", ["1", "3"])],
)
def test_a_damaged_version_is_named_and_stays_and_the_others_go(
    world: World, tmp_path: Path, where: str, others: list[str]
) -> None:
    for served in (False, False, False, True, False):
        world.add(served=served)
    (tmp_path / where / "metadata.json").write_text("{")
    assert world.pruned(4) == [f"timeline_ranker/{version}" for version in others]
    (problem,) = damaged(world.registry)
    assert f"{where}/metadata.json" in str(problem)
