"""Version folders appear whole, are numbered once and can be set aside."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelId, ModelMetadata, RegistryError

METADATA = ModelMetadata(
    name="timeline_ranker",
    service="timeline_v1",
    fingerprint="abc",
    user_columns=("u",),
    candidate_columns=("c",),
    id_columns=("i",),
    heads=("click",),
)


@pytest.fixture
def folders(tmp_path: Path) -> ModelFolders:
    return ModelFolders(tmp_path / "models")


def test_versions_are_numbered_from_one(folders: ModelFolders) -> None:
    added = [folders.add(METADATA, {"model.pt": b"x"}).version for _ in range(11)]
    assert added == [str(number) for number in range(1, 12)]
    assert folders.versions("timeline_ranker") == tuple(added)


def test_a_version_folder_holds_its_files_and_its_metadata(folders: ModelFolders, tmp_path: Path) -> None:
    added = folders.add(METADATA, {"model.pt": b"weights"})
    folder = tmp_path / "models" / "timeline_ranker" / "1"
    assert (folder / "model.pt").read_bytes() == b"weights"
    assert folders.metadata(added.id) == added


def test_rivals_never_write_over_each_other(tmp_path: Path) -> None:
    def add_ten(writer: int) -> list[tuple[str, bytes]]:
        folders = ModelFolders(tmp_path / "models")
        contents = [f"{writer}-{turn}".encode() for turn in range(10)]
        return [(folders.add(METADATA, {"model.pt": content}).version, content) for content in contents]

    with ThreadPoolExecutor(4) as pool:
        written = [version for versions in pool.map(add_ten, range(4)) for version in versions]
    assert sorted(int(version) for version, _ in written) == list(range(1, 41))
    for version, content in written:
        assert (tmp_path / "models/timeline_ranker" / version / "model.pt").read_bytes() == content


def test_a_failed_write_leaves_no_version(folders: ModelFolders) -> None:
    with pytest.raises(OSError, match="absent"):
        folders.add(METADATA, {"absent/model.pt": b"x"})
    assert folders.versions("timeline_ranker") == ()


def test_a_retired_version_keeps_its_number_and_its_metadata(folders: ModelFolders) -> None:
    first = folders.add(METADATA, {})
    folders.retire(first.id)
    assert folders.versions("timeline_ranker") == ()
    assert folders.metadata(first.id) == first
    assert folders.add(METADATA, {}).version == "2"
    folders.restore(first.id)
    assert folders.versions("timeline_ranker") == ("1", "2")


def test_an_unknown_version_is_an_error_that_names_the_known_ones(folders: ModelFolders) -> None:
    folders.add(METADATA, {})
    with pytest.raises(RegistryError, match=r"timeline_ranker/9 .* versions there: 1"):
        folders.metadata(ModelId("timeline_ranker", "9"))


def test_names_are_those_of_models_with_versions(folders: ModelFolders) -> None:
    assert folders.names() == ()
    folders.retire(folders.add(msgspec.structs.replace(METADATA, name="empty"), {}).id)
    folders.add(METADATA, {})
    assert folders.names() == ("timeline_ranker",)


def test_an_unchanged_file_of_a_server_is_not_written_again(folders: ModelFolders, tmp_path: Path) -> None:
    config = tmp_path / "model-servers/counters/config.pbtxt"
    folders.write_server("counters", {"config.pbtxt": b"one", "1/model.py": b"code"})
    before = config.stat().st_ino
    folders.write_server("counters", {"config.pbtxt": b"one", "1/model.py": b"other"})
    assert config.stat().st_ino == before
    assert (config.parent / "1/model.py").read_bytes() == b"other"
    folders.write_server("counters", {"config.pbtxt": b"two"})
    assert config.read_bytes() == b"two"


@pytest.mark.parametrize("content", [b"", b'{"name": "timel', b'{"name": 7}', b"\xff\xfe"])
def test_damaged_metadata_is_an_error_that_names_the_file(
    folders: ModelFolders, tmp_path: Path, content: bytes
) -> None:
    damaged, whole = folders.add(METADATA, {}).id, folders.add(METADATA, {})
    (tmp_path / "models/timeline_ranker/1/metadata.json").write_bytes(content)
    with pytest.raises(
        RegistryError, match=r"timeline_ranker/1 is damaged: .*/models/timeline_ranker/1/metadata.json"
    ):
        folders.metadata(damaged)
    assert list(folders.readable([damaged, whole.id])) == [whole]


def test_what_the_gate_found_is_an_error_where_it_is_damaged(folders: ModelFolders, tmp_path: Path) -> None:
    model = folders.add(METADATA, {}).id
    folders.write_checks(model, [])
    (tmp_path / "model-checks/timeline_ranker/1.json").write_bytes(b"[{")
    with pytest.raises(RegistryError, match=r"damaged: .*/model-checks/timeline_ranker/1.json"):
        folders.checks(model)


def test_a_version_is_on_disk_before_it_appears(
    folders: ModelFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, bool]] = []
    sync = os.fsync

    def watch(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, bool(folders.versions("timeline_ranker"))))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    folder = folders.path(folders.add(METADATA, {"model.pt": b"weights"}).id)
    parts = (folder / "model.pt", folder / "metadata.json", folder)
    assert synced == [*((part.stat().st_ino, False) for part in parts), (folder.parent.stat().st_ino, True)]
