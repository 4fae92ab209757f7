"""Aliases move by compare-and-set; an installation without a champion has the counter model."""

from pathlib import Path

import msgspec
import pytest

from feature_store.clock import ManualClock
from ranker.registry.aliases import MemoryAliases
from ranker.registry.folders import ModelFolders
from ranker.registry.models import AliasConflict, ModelId, ModelMetadata, RegistryError
from ranker.registry.records import NoRecords
from ranker.registry.registry import ModelRegistry

COUNTERS = ModelMetadata(
    name="counters",
    service="timeline_v1",
    fingerprint="abc",
    user_columns=(),
    candidate_columns=("impressions", "clicks"),
    id_columns=(),
    heads=("click",),
)
TRAINED = msgspec.structs.replace(COUNTERS, name="timeline_ranker")


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    registry = ModelRegistry(ModelFolders(tmp_path / "models"), MemoryAliases(), ManualClock(5))
    registry.register(COUNTERS, {})
    return registry


def test_the_counter_model_is_champion_until_one_is_set(registry: ModelRegistry) -> None:
    champion = registry.resolve("champion")
    assert champion is not None
    assert champion.id == ModelId("counters", "1")
    assert registry.resolve("challenger") is None


def test_a_promotion_keeps_what_it_replaced_as_rollback(registry: ModelRegistry) -> None:
    first, second = registry.register(TRAINED, {}).id, registry.register(TRAINED, {}).id
    registry.promote(first, expected=ModelId("counters", "1"), reason="better")
    registry.promote(second, expected=first, reason="better still")
    champion, rollback = registry.resolve("champion"), registry.resolve("rollback")
    assert champion is not None and rollback is not None
    assert (champion.id, rollback.id) == (second, first)
    assert [(change.alias, change.model, change.time_ms) for change in registry.history()] == [
        ("rollback", "timeline_ranker/1", 5),
        ("champion", "timeline_ranker/2", 5),
        ("rollback", "counters/1", 5),
        ("champion", "timeline_ranker/1", 5),
    ]
    assert registry.history()[1].reason == "better still"


def test_a_promotion_over_another_champion_than_expected_changes_nothing(registry: ModelRegistry) -> None:
    first, second = registry.register(TRAINED, {}).id, registry.register(TRAINED, {}).id
    registry.promote(first, expected=ModelId("counters", "1"), reason="better")
    history = registry.history()
    with pytest.raises(AliasConflict, match="champion points to timeline_ranker/1, not to"):
        registry.promote(second, expected=ModelId("counters", "1"), reason="late")
    assert registry.history() == history


def test_an_alias_cannot_point_to_a_version_that_does_not_exist(registry: ModelRegistry) -> None:
    with pytest.raises(RegistryError, match="timeline_ranker/7"):
        registry.set_alias("champion", ModelId("timeline_ranker", "7"), expected=None, reason="typo")


def test_a_name_finds_its_newest_version_and_a_full_id_its_own(registry: ModelRegistry) -> None:
    registry.register(COUNTERS, {})
    assert registry.find("counters").version == "2"
    assert registry.find("counters/1").version == "1"


@pytest.mark.parametrize("text", ["nothing", "counters/9", "counters/", "/1", "counters/x"])
def test_a_model_that_does_not_exist_is_an_error_that_names_it(registry: ModelRegistry, text: str) -> None:
    with pytest.raises(RegistryError, match=text):
        registry.find(text)


class InterruptedRecords(NoRecords):
    """Somebody gives up waiting."""

    def point(self, alias: str, model: ModelId) -> None:
        raise KeyboardInterrupt


def test_records_that_hang_find_both_aliases_moved(tmp_path: Path) -> None:
    folders, aliases = ModelFolders(tmp_path / "models"), MemoryAliases()
    registry = ModelRegistry(folders, aliases, ManualClock(5), InterruptedRecords())
    counters, model = registry.register(COUNTERS, {}).id, registry.register(TRAINED, {}).id
    with pytest.raises(KeyboardInterrupt):
        registry.promote(model, expected=counters, reason="better")
    assert registry.aliases() == {"champion": model, "rollback": counters}
    with pytest.raises(KeyboardInterrupt):
        registry.roll_back(reason="worse after all")
    assert registry.aliases() == {"champion": counters, "rollback": model}


@pytest.mark.parametrize("damage", ["truncated", "gone"])
def test_a_damaged_champion_can_be_rolled_back_and_replaced(
    registry: ModelRegistry, tmp_path: Path, damage: str
) -> None:
    first, second, third = (registry.register(TRAINED, {}).id for _ in range(3))
    registry.promote(first, expected=ModelId("counters", "1"), reason="better")
    registry.promote(second, expected=first, reason="better still")
    spoil(tmp_path / "models/timeline_ranker/2", damage)
    with pytest.raises(RegistryError, match="timeline_ranker/2"):
        registry.resolve("champion")
    assert registry.roll_back(reason="it is damaged") == first
    assert registry.taken_back() is not None
    registry.promote(third, expected=first, reason="made anew")
    assert registry.aliases() == {"champion": third, "rollback": first}


@pytest.mark.parametrize("damage", ["truncated", "gone"])
def test_nothing_moves_to_a_damaged_version(registry: ModelRegistry, tmp_path: Path, damage: str) -> None:
    first, second = registry.register(TRAINED, {}).id, registry.register(TRAINED, {}).id
    registry.promote(first, expected=ModelId("counters", "1"), reason="better")
    registry.promote(second, expected=first, reason="better still")
    before = registry.history()
    spoil(tmp_path / "models/timeline_ranker/1", damage)
    with pytest.raises(RegistryError, match="timeline_ranker/1"):
        registry.roll_back(reason="it is damaged")
    assert registry.history() == before


def spoil(folder: Path, damage: str) -> None:
    if damage == "gone":
        folder.rename(folder.with_name("elsewhere"))
    else:
        (folder / "metadata.json").write_bytes(b'{"name": "timeline')
