"""What may be wrong around a command is said in one line, without a trace and without a client's log."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from eddyline.cli import build
from eddyline.clients import kafka
from feature_store.catalog import load_catalog

NOWHERE = "127.0.0.1:1"
DAMAGED = {
    "cut off": b'{"supervisor_pid": 1',
    "a field less": b'{"supervisor_pid": 1}',
    "no object": b"[]",
    "no text": b"\xff\xfe\x00",
}
READS_KAFKA = [
    "deadletters list",
    "deadletters replay --all",
    "features backfill",
    f"lineage --kafka {NOWHERE}",
    "datasets export exposures.csv",
    "loops status",
    "loops explain f1",
    "loops acknowledge f1 --by me --note seen",
    "verify parity",
    "train",
]
READS_STATE = [
    "status",
    "status --json",
    "down",
    "up",
    "up --detach",
    "doctor",
    "rank u1",
    "lineage",
    "models list",
    "loops status",
    "loops stop nudges --reason none",
    "deadletters list",
    "datasets export exposures.csv",
    "features rows",
    "features retire abc",
    "features forget abc",
    "features backfill",
    "features item i1",
    "verify parity",
    "train",
]


@pytest.fixture(autouse=True)
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.setenv("EDDYLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EDDYLINE_KAFKA_BOOTSTRAP", NOWHERE)
    monkeypatch.setenv("EDDYLINE_REDIS_URL", f"redis://{NOWHERE}/0")
    monkeypatch.setattr(kafka, "ANSWERS_WITHIN_S", 0.2)


def said(words: str) -> str:
    """The line on stderr with which a command ended by itself, for what is wrong."""
    result = CliRunner().invoke(build(), words.split())
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in {1, 2}
    lines = [line for line in result.stderr.splitlines() if not line.startswith("starting the stack")]
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("words", READS_KAFKA)
def test_a_broker_that_is_not_there(words, capfd):
    assert f"no broker answers at {NOWHERE}: " in said(words)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("words", ["features rows", "features retire abc", "features forget abc"])
def test_a_redis_that_is_not_there(words):
    assert "the rows: Error" in said(words)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("words", READS_STATE)
def test_a_damaged_state_file(words, content, tmp_path):
    state = tmp_path / "home" / "state.json"
    state.parent.mkdir()
    state.write_bytes(content)
    assert f"{state} is damaged" in said(words)


@pytest.mark.parametrize("words", READS_STATE)
def test_a_state_folder_that_is_a_file(words, tmp_path):
    (tmp_path / "home").write_text("")
    assert f"EDDYLINE_HOME={tmp_path / 'home'} cannot be used: " in said(words)


def test_definitions_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("EDDYLINE_DEFINITIONS", str(tmp_path))
    load_catalog.cache_clear()
    try:
        assert f"{tmp_path}: there are no definitions" in said("lineage")
    finally:
        load_catalog.cache_clear()


def test_a_lineage_file_that_is_no_text(tmp_path):
    (tmp_path / "outside.toml").write_bytes(b"\xff\xfe")
    assert "outside.toml: 'utf-8' codec" in said("lineage --outside outside.toml")


def test_a_mapping_that_is_no_text(tmp_path):
    (tmp_path / "log.csv").write_text("item,reward\n1,0\n")
    (tmp_path / "mapping.toml").write_bytes(b"\xff\xfe")
    assert "mapping.toml is no text" in said("loops scan log.csv --mapping mapping.toml")


def test_a_seed_below_zero(tmp_path):
    (tmp_path / "log.csv").touch()
    result = CliRunner().invoke(build(), ["loops", "scan", "log.csv", "--mapping", "log.csv", "--seed", "-1"])
    assert result.exit_code == 2 and "--seed" in result.stderr
