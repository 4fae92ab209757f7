"""A model repository holds the built-in models for the features in use, and nothing Triton would refuse."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from feature_store.clock import ManualClock
from ranker.registry.bootstrap import bootstrap
from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelId, ModelMetadata
from ranker.registry.servers import write_server
from ranker.registry.signature import default_signature
from ranker.triton.embedded import EmbeddedClient
from triton_models import reference
from triton_models.signature import Recents, Signature

SIGNATURE = Signature(
    "small_v1", "abc", ("user.a",), ("item.impression_count_total", "item.click_count_total"), ("item",)
)


@pytest.fixture
def folders(tmp_path: Path) -> ModelFolders:
    folders = ModelFolders(tmp_path / "models")
    bootstrap(folders, SIGNATURE, ManualClock(7))
    return folders


def test_a_fresh_repository_gets_counters_and_reference(folders: ModelFolders) -> None:
    assert folders.names() == ("counters", "reference")
    metadata = folders.metadata(ModelId("counters", "1"))
    assert (metadata.fingerprint, metadata.heads, metadata.created_time_ms) == ("abc", ("click",), 7)


def test_a_second_run_changes_nothing(folders: ModelFolders, tmp_path: Path) -> None:
    def files() -> dict[Path, float]:
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}

    before = files()
    bootstrap(folders, SIGNATURE, ManualClock(8))
    assert files() == before


def test_other_features_get_versions_of_their_own_and_set_aside_the_rest(folders: ModelFolders) -> None:
    bootstrap(folders, replace(SIGNATURE, fingerprint="def"), ManualClock())
    assert folders.versions("counters") == folders.versions("reference") == ("2",)
    assert folders.metadata(ModelId("counters", "2")).fingerprint == "def"
    assert folders.metadata(ModelId("counters", "1")).fingerprint == "abc"


def test_features_that_are_served_again_have_their_models_back(folders: ModelFolders, tmp_path: Path) -> None:
    learned = ModelMetadata(
        name="timeline_ranker",
        service=SIGNATURE.service,
        fingerprint=SIGNATURE.fingerprint,
        user_columns=SIGNATURE.user,
        candidate_columns=SIGNATURE.candidate,
        id_columns=SIGNATURE.ids,
        heads=("click", "dwell"),
    )
    added = folders.add(learned, {"model.pt": b"weights"})
    bootstrap(folders, replace(SIGNATURE, fingerprint="def"), ManualClock())
    assert folders.names() == ("counters", "reference")
    bootstrap(folders, SIGNATURE, ManualClock())
    assert folders.versions("timeline_ranker") == (added.version,)
    assert folders.versions("counters") == folders.versions("reference") == ("1",)
    config = (tmp_path / "model-servers/timeline_ranker/config.pbtxt").read_text()
    assert all(text in config for text in ("abc", "click", "dwell"))


def test_the_configuration_is_what_the_feature_service_needs(folders: ModelFolders, tmp_path: Path) -> None:
    config = (tmp_path / "model-servers/reference/config.pbtxt").read_text()
    assert 'name: "user" data_type: TYPE_FP32 dims: [ 1, 1 ]' in config
    assert 'name: "candidates" data_type: TYPE_FP32 dims: [ -1, 2 ]' in config
    assert 'name: "ids" data_type: TYPE_INT64 dims: [ -1, 1 ]' in config
    assert [f'name: "{head}" data_type: TYPE_FP32 dims: [ -1 ]' in config for head in reference.HEADS] == [
        True
    ] * 4
    assert "max_batch_size: 0" in config
    assert 'string_value: "abc"' in config


def test_the_reference_model_is_the_same_everywhere() -> None:
    first, again = (reference.build(SIGNATURE).state_dict() for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_the_reference_model_reads_no_recent_ids() -> None:
    recents = replace(
        SIGNATURE, ids=(*SIGNATURE.ids, "r[0]"), recents=(Recents("r", SIGNATURE.ids[0], 1, ()),)
    )
    with_recents, without = reference.build(recents), reference.build(SIGNATURE)
    user, candidates = torch.ones(1, len(SIGNATURE.user)), torch.ones(3, len(SIGNATURE.candidate))
    ids = torch.ones(3, len(SIGNATURE.ids), dtype=torch.int64)
    more = torch.cat((ids, 7 * ids[:, :1]), dim=1)
    assert torch.equal(with_recents(user, candidates, more), without(user, candidates, ids))


def test_the_shipped_feature_service_has_what_both_models_need(tmp_path: Path) -> None:
    signature = default_signature()
    bootstrap(ModelFolders(tmp_path / "models"), signature, ManualClock())
    client = EmbeddedClient(tmp_path / "models", signature.fingerprint)
    candidates = np.zeros((3, len(signature.candidate)), np.float32)
    candidates[:, signature.candidate.index("item.click_count_total")] = (0, 1, 7)
    for name in ("counters", "reference"):
        client.prepare(name, "1")
    user, ids = np.zeros((1, len(signature.user)), np.float32), np.zeros((3, len(signature.ids)), np.int64)
    scores = client.infer("counters", "1", user, candidates, ids, 1_000)
    np.testing.assert_allclose(scores["click"], [1 / 8, 2 / 8, 1.0])
    assert len(signature.user) + len(signature.candidate) == 64
    assert len(signature.single_ids) == 8
    assert json.loads((tmp_path / "models/counters/1/metadata.json").read_bytes())["service"] == "timeline_v1"


def test_a_version_that_was_set_aside_keeps_its_heads_and_their_places(
    folders: ModelFolders, tmp_path: Path
) -> None:
    config = tmp_path / "model-servers" / "ranker" / "config.pbtxt"
    for heads, fingerprint in (
        (("click", "like"), "abc"),
        (("report",), "other"),
        (("click", "dwell"), "abc"),
    ):
        made = ModelMetadata(
            name="ranker",
            service=SIGNATURE.service,
            fingerprint=fingerprint,
            user_columns=SIGNATURE.user,
            candidate_columns=SIGNATURE.candidate,
            id_columns=SIGNATURE.ids,
            heads=heads,
            created_time_ms=7,
        )
        folders.add(made, {})
    write_server(folders, "ranker", SIGNATURE)
    served = config.read_text()
    assert re.findall(r'name: "(\w+)" data_type: TYPE_FP32 dims: \[ -1 \]', served) == [
        "click",
        "like",
        "dwell",
    ]
    folders.retire(ModelId("ranker", "1"))
    write_server(folders, "ranker", SIGNATURE)
    assert config.read_text() == served


def test_a_damaged_version_stops_neither_the_start_nor_the_server_of_the_others(
    folders: ModelFolders, tmp_path: Path
) -> None:
    whole = folders.metadata(ModelId("counters", "1"))
    folders.add(whole, {})
    (tmp_path / "models/counters/2/metadata.json").write_bytes(b"")
    bootstrap(folders, SIGNATURE, ManualClock())
    assert "click" in (tmp_path / "model-servers/counters/config.pbtxt").read_text()
    assert folders.versions("counters") == ("1", "2")
