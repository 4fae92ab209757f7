"""The watcher serves the champion once it answers, and the last good model when something fails."""

import math
from pathlib import Path
from queue import Queue

import msgspec
import pytest

from feature_store.clock import ManualClock
from ranker.registry.aliases import MemoryAliases
from ranker.registry.folders import ModelFolders
from ranker.registry.models import Environment, Lineage, ModelId, ModelMetadata, RegistryUnavailable
from ranker.registry.registry import ModelRegistry
from ranker.registry.watcher import ChampionWatcher
from tests.unit.ranker.registry.test_registry import COUNTERS

COUNTERS_1 = msgspec.structs.replace(COUNTERS, version="1").served
TRAINED = msgspec.structs.replace(COUNTERS, name="timeline_ranker")


class ScriptedLoader:
    """Loads at once, or refuses, as the test says; a server of models that forgets when restarted."""

    def __init__(self) -> None:
        self.loaded: set[tuple[str, str]] = set()
        self.refuses = False

    def prepare(self, model: str, version: str) -> None:
        if self.refuses:
            raise RuntimeError("no memory left")
        self.loaded.add((model, version))

    def ready(self, model: str, version: str) -> bool:
        return (model, version) in self.loaded


@pytest.fixture
def aliases() -> MemoryAliases:
    return MemoryAliases()


@pytest.fixture
def registry(tmp_path: Path, aliases: MemoryAliases) -> ModelRegistry:
    registry = ModelRegistry(ModelFolders(tmp_path / "models"), aliases, ManualClock())
    registry.register(COUNTERS, {})
    return registry


@pytest.fixture
def loader() -> ScriptedLoader:
    return ScriptedLoader()


@pytest.fixture
def watcher(registry: ModelRegistry, loader: ScriptedLoader) -> ChampionWatcher:
    watcher = ChampionWatcher(registry, loader, "abc")
    watcher.refresh()
    return watcher


def promote(registry: ModelRegistry, metadata: ModelMetadata) -> ModelId:
    model = registry.register(metadata, {}).id
    champion = registry.resolve("champion")
    assert champion is not None
    registry.promote(model, expected=champion.id, reason="test")
    return model


def serving(watcher: ChampionWatcher) -> str:
    return f"{watcher.current.name}/{watcher.current.version}"


def test_a_fresh_installation_serves_counters(watcher: ChampionWatcher, loader: ScriptedLoader) -> None:
    assert serving(watcher) == "counters/1"
    assert loader.loaded == {("counters", "1")}
    assert watcher.problem is None


def test_a_new_champion_is_loaded_and_then_served(
    watcher: ChampionWatcher, registry: ModelRegistry, loader: ScriptedLoader
) -> None:
    promote(registry, TRAINED)
    watcher.refresh()
    assert serving(watcher) == "timeline_ranker/1"
    assert ("timeline_ranker", "1") in loader.loaded
    assert watcher.previous is not None and watcher.previous.name == "counters"


def test_a_champion_that_cannot_be_loaded_does_not_serve(
    watcher: ChampionWatcher, registry: ModelRegistry, loader: ScriptedLoader
) -> None:
    promote(registry, TRAINED)
    loader.refuses = True
    watcher.refresh()
    assert serving(watcher) == "counters/1"
    assert watcher.problem == "no memory left"
    loader.refuses = False
    watcher.refresh()
    assert (serving(watcher), watcher.problem) == ("timeline_ranker/1", None)


def test_the_last_good_model_serves_while_aliases_are_out_of_reach(
    watcher: ChampionWatcher, registry: ModelRegistry, aliases: MemoryAliases
) -> None:
    promote(registry, TRAINED)
    watcher.refresh()
    aliases.failure = RegistryUnavailable("connection refused")
    watcher.refresh()
    assert (serving(watcher), watcher.problem) == ("timeline_ranker/1", "connection refused")


def test_a_champion_made_for_other_features_is_refused_with_both_fingerprints(
    watcher: ChampionWatcher, registry: ModelRegistry
) -> None:
    promote(registry, msgspec.structs.replace(TRAINED, fingerprint="def"))
    watcher.refresh()
    assert serving(watcher) == "counters/1"
    assert watcher.problem is not None
    assert "def" in watcher.problem and "abc" in watcher.problem


def test_a_server_that_forgot_the_champion_is_asked_to_load_it_again(
    watcher: ChampionWatcher, loader: ScriptedLoader
) -> None:
    loader.loaded.clear()
    watcher.refresh()
    assert loader.loaded == {("counters", "1")}


def test_a_pinned_model_serves_whatever_the_champion_is(
    registry: ModelRegistry, loader: ScriptedLoader
) -> None:
    registry.register(TRAINED, {})
    watcher = ChampionWatcher(registry, loader, "abc", pinned="timeline_ranker")
    watcher.refresh()
    assert serving(watcher) == "timeline_ranker/1"


def test_a_started_watcher_has_done_its_first_turn_and_can_be_closed(
    registry: ModelRegistry, loader: ScriptedLoader
) -> None:
    promote(registry, TRAINED)
    watcher = ChampionWatcher(registry, loader, "abc", interval_s=0.01)
    watcher.start()
    assert serving(watcher) == "timeline_ranker/1"
    watcher.close()


class Gone(Exception):  # noqa: N818  (a state of the world)
    """Neither RuntimeError nor OSError."""


def test_whatever_goes_wrong_is_a_problem_that_is_told_and_it_is_looked_again(
    registry: ModelRegistry, loader: ScriptedLoader
) -> None:
    looks = Queue[None]()

    def damaged() -> ModelMetadata | None:
        looks.put(None)
        raise Gone("metadata is damaged")

    watcher = ChampionWatcher(registry, loader, "abc", champion=damaged, interval_s=0.001)
    watcher.start()
    for _ in range(3):
        looks.get(timeout=30)
    assert (serving(watcher), watcher.problem) == ("counters/1", "Gone: metadata is damaged")
    watcher.close()


def test_the_version_that_people_went_back_from_answers_for_no_other(
    watcher: ChampionWatcher, registry: ModelRegistry
) -> None:
    for _ in range(2):
        promote(registry, TRAINED)
        watcher.refresh()
    registry.roll_back(reason="bad")
    watcher.refresh()
    assert (serving(watcher), watcher.previous) == ("timeline_ranker/1", None)
    promote(registry, TRAINED)
    watcher.refresh()
    assert serving(watcher) == "timeline_ranker/3"
    assert watcher.previous is not None and watcher.previous.version == "1"


@pytest.mark.parametrize("older", ["timeline_ranker/1", "counters/1"])
def test_nor_does_one_that_was_left_for_something_older_than_the_last(
    watcher: ChampionWatcher, registry: ModelRegistry, older: str
) -> None:
    for _ in range(3):
        champion = promote(registry, TRAINED)
        watcher.refresh()
    registry.promote(ModelId.parse(older), expected=champion, reason="bad")
    watcher.refresh()
    assert (serving(watcher), watcher.previous) == (older, None)


def test_counters_stand_in_until_the_champion_is_known_and_serves(
    registry: ModelRegistry, loader: ScriptedLoader, aliases: MemoryAliases
) -> None:
    promote(registry, TRAINED)
    watcher = ChampionWatcher(registry, loader, "abc")
    aliases.failure = RegistryUnavailable("connection refused")
    watcher.refresh()
    assert watcher.stands_in
    aliases.failure, loader.refuses = None, True
    watcher.refresh()
    assert watcher.stands_in
    loader.refuses = False
    watcher.refresh()
    assert not watcher.stands_in
    aliases.failure = RegistryUnavailable("connection refused")
    watcher.refresh()
    assert not watcher.stands_in  # the champion goes on serving


def test_counters_that_are_the_champion_stand_in_for_nothing_even_while_they_are_not_loaded(
    registry: ModelRegistry, loader: ScriptedLoader
) -> None:
    watcher = ChampionWatcher(registry, loader, "abc")
    loader.refuses = True
    watcher.refresh()
    assert (watcher.stands_in, watcher.problem) == (False, "no memory left")


def test_counters_stand_in_for_a_version_of_other_features_that_people_went_back_to(
    watcher: ChampionWatcher, registry: ModelRegistry
) -> None:
    promote(registry, msgspec.structs.replace(TRAINED, fingerprint="def"))
    promote(registry, TRAINED)
    watcher.refresh()
    assert (serving(watcher), watcher.stands_in) == ("timeline_ranker/2", False)
    registry.roll_back(reason="bad")
    for _ in range(2):
        watcher.refresh()
        assert (serving(watcher), watcher.previous, watcher.stands_in) == ("counters/1", None, True)
    assert watcher.problem is not None
    assert "def" in watcher.problem and "abc" in watcher.problem


def test_counters_stand_in_for_a_version_that_people_went_back_to_until_it_loads(
    watcher: ChampionWatcher, registry: ModelRegistry, loader: ScriptedLoader
) -> None:
    for _ in range(2):
        promote(registry, TRAINED)
        watcher.refresh()
    registry.roll_back(reason="bad")
    loader.loaded.clear()
    loader.refuses = True
    watcher.refresh()
    assert (serving(watcher), watcher.stands_in) == ("counters/1", True)
    loader.refuses = False
    watcher.refresh()
    assert (serving(watcher), watcher.previous, watcher.stands_in) == ("timeline_ranker/1", COUNTERS_1, False)


def test_the_age_is_that_of_what_serves_whoever_made_it(
    watcher: ChampionWatcher, registry: ModelRegistry
) -> None:
    assert math.isnan(watcher.age_s(9_000))
    lineage = Lineage("data", "weights", Environment("AVX2", 1, "2.9", None))
    model = registry.register(
        msgspec.structs.replace(TRAINED, created_time_ms=4_000, lineage=lineage), {"model.pt": b"x"}
    )
    registry.folders.write_checks(model.id, [])
    registry.promote(model.id, expected=ModelId("counters", "1"), reason="test")
    watcher.refresh()
    assert watcher.age_s(9_000) == 5.0
    registry.roll_back(reason="bad")
    watcher.refresh()
    assert math.isnan(watcher.age_s(9_000))
