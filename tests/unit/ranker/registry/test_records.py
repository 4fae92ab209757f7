"""MLflow shows what the registry knows; when it is down there are no new versions, and nothing else fails."""

import os
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from feature_store.clock import ManualClock
from ranker.registry.aliases import MemoryAliases
from ranker.registry.folders import ModelFolders
from ranker.registry.models import (
    Check,
    Environment,
    Lineage,
    ModelId,
    ModelMetadata,
    RegistryError,
    RegistryUnavailable,
)
from ranker.registry.records import MlflowRecords
from ranker.registry.registry import ModelRegistry

LEARNED = ModelMetadata(
    name="timeline_ranker",
    service="timeline_v1",
    fingerprint="abc",
    user_columns=(),
    candidate_columns=("impressions", "clicks"),
    id_columns=(),
    heads=("click", "click_spread"),
    seed=7,
    lineage=Lineage("data-hash", "weights-hash", Environment("AVX2", 1, "2.9", None), offsets={0: (3, 9)}),
)
OUT_OF_REACH = "nobody://answers"
REFUSED = "http://someone:s3cret@127.0.0.1:1"
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
PASSED, FAILED = Check("finite", True, "0 scores"), Check("latency", False, "median 80 ms, 50 allowed")


def registry_in(home: Path, uri: str) -> ModelRegistry:
    return ModelRegistry(ModelFolders(home / "models"), MemoryAliases(), ManualClock(5), MlflowRecords(uri))


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


def test_mlflow_shows_versions_with_their_lineage_and_aliases(tmp_path: Path, uri: str) -> None:
    from mlflow.tracking import MlflowClient

    registry = registry_in(tmp_path, uri)
    model = registry.register(LEARNED, {"model.pt": b"x"})
    registry.folders.write_checks(model.id, [PASSED])
    registry.set_alias("champion", model.id, expected=None, reason="first")
    shown = MlflowClient(uri, uri).get_model_version_by_alias("timeline_ranker", "champion")
    assert shown.tags["eddyline.version"] == "1"
    assert shown.tags["eddyline.seed"] == "7"
    assert '"weights":"weights-hash"' in shown.tags["eddyline.lineage"]
    assert shown.tags["eddyline.folder"].endswith("models/timeline_ranker/1")


def test_without_mlflow_there_is_no_new_version(tmp_path: Path) -> None:
    registry = registry_in(tmp_path, OUT_OF_REACH)
    with pytest.raises(RegistryUnavailable, match="cannot remember timeline_ranker/1"):
        registry.register(LEARNED, {})
    assert registry.folders.versions("timeline_ranker") == ()


def test_whether_mlflow_is_there_is_known_before_there_is_a_version(tmp_path: Path, uri: str) -> None:
    registry_in(tmp_path, uri).reach_records()
    with pytest.raises(RegistryUnavailable, match="cannot be reached"):
        registry_in(tmp_path, OUT_OF_REACH).reach_records()


def test_an_alias_moves_although_mlflow_cannot_show_it(tmp_path: Path) -> None:
    folders, aliases = ModelFolders(tmp_path / "models"), MemoryAliases()
    model = folders.add(LEARNED, {})
    folders.write_checks(model.id, [PASSED])
    down = MlflowRecords(OUT_OF_REACH)
    ModelRegistry(folders, aliases, ManualClock(5), down).set_alias(
        "champion", model.id, expected=None, reason="mlflow is down"
    )
    assert aliases.get("champion") == ModelId("timeline_ranker", "1")


def test_no_alias_points_to_a_version_that_did_not_pass_the_gate(tmp_path: Path) -> None:
    registry = ModelRegistry(ModelFolders(tmp_path / "models"), MemoryAliases(), ManualClock(5))
    model = registry.register(LEARNED, {})
    with pytest.raises(RegistryError, match="has not been through the gate"):
        registry.set_alias("canary", model.id, expected=None, reason="hope")
    registry.folders.write_checks(model.id, [PASSED, FAILED])
    with pytest.raises(RegistryError, match="latency: median 80 ms, 50 allowed"):
        registry.set_alias("canary", model.id, expected=None, reason="hope")
    assert registry.aliases() == {}


def test_a_rollback_brings_back_what_the_champion_replaced(tmp_path: Path) -> None:
    registry = ModelRegistry(ModelFolders(tmp_path / "models"), MemoryAliases(), ManualClock(5))
    counters = registry.register(msgspec.structs.replace(LEARNED, name="counters", lineage=None), {})
    with pytest.raises(RegistryError, match="nothing to roll back to"):
        registry.roll_back(reason="too early")
    model = registry.register(LEARNED, {})
    registry.folders.write_checks(model.id, [PASSED])
    registry.promote(model.id, expected=counters.id, reason="better")
    assert registry.roll_back(reason="worse after all") == counters.id
    champion = registry.resolve("champion")
    assert champion is not None and champion.id == counters.id
    assert registry.aliases()["rollback"] == model.id


@pytest.mark.parametrize("back", [True, False])
def test_what_rankers_cannot_ask_becomes_no_champion_and_both_fingerprints_are_said(
    tmp_path: Path, back: bool
) -> None:
    registry = ModelRegistry(ModelFolders(tmp_path / "models"), MemoryAliases(), ManualClock(5))
    counters = registry.register(msgspec.structs.replace(LEARNED, name="counters", lineage=None), {}).id
    old, new = (
        registry.register(msgspec.structs.replace(LEARNED, fingerprint=each), {}).id
        for each in ("old", "new")
    )
    for model in (old, new):
        registry.folders.write_checks(model, [PASSED])
    registry.promote(old, expected=counters, reason="first", fingerprint="old")
    registry.promote(new, expected=old, reason="features were added", fingerprint="new")
    with pytest.raises(RegistryError, match=r"fingerprint old, but new is served: promote the counters"):
        if back:
            registry.roll_back(reason="bad", fingerprint="new")
        else:
            registry.promote(old, expected=new, reason="bad", fingerprint="new")
    assert registry.champion_id() == new
    assert registry.roll_back(reason="the old definitions are back", fingerprint="old") == old


@pytest.mark.parametrize("uri", [REFUSED, "nobody://someone:s3cret@answers", "postgres://a:s3/c@ret@h/x"])
def test_no_message_shows_a_password(tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_RETRIES, "0")
    with pytest.raises(RegistryUnavailable) as raised:
        registry_in(tmp_path, uri).register(LEARNED, {})
    with pytest.raises(RegistryUnavailable) as unreached:
        registry_in(tmp_path, uri).reach_records()
    with capture_logs() as logged:
        MlflowRecords(uri).point("champion", ModelId("timeline_ranker", "1"))
    told = f"{raised.value} {raised.value.__cause__} {unreached.value} {unreached.value.__cause__} {logged}"
    assert all(word in told for word in ("cannot remember", "alias_not_shown_in_mlflow"))
    assert "someone" not in told
    assert "s3" not in told


@pytest.mark.parametrize(("set_to", "used"), [(None, "1"), ("0", "0")])
def test_mlflow_is_waited_for_briefly_unless_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_to: str | None, used: str
) -> None:
    monkeypatch.setenv(_RETRIES, "")
    monkeypatch.delenv(_RETRIES)
    if set_to is not None:
        monkeypatch.setenv(_RETRIES, set_to)
    MlflowRecords(REFUSED).point("champion", ModelId("timeline_ranker", "1"))
    assert os.environ[_RETRIES] == used
