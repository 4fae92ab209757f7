"""The command line's frame."""

import json

import pytest
from typer.testing import CliRunner

from eddyline.cli import build, main


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("EDDYLINE_HOME", str(tmp_path))
    return lambda *words: CliRunner().invoke(build(), list(words))


def test_every_module_of_commands_is_found(run):
    for name in ("up", "status", "down", "doctor"):
        assert name in run("--help").stdout


def test_status_of_no_stack_is_json_that_is_not_ready(run):
    answer = run("status", "--json")
    assert json.loads(answer.stdout) == {"processes": {}, "ready": False}
    assert answer.exit_code == 1


def test_stopping_no_stack_is_no_error(run):
    assert run("down").exit_code == 0


def test_a_setting_that_is_out_of_bounds_is_named_without_a_trace(monkeypatch, capsys):
    monkeypatch.setenv("EDDYLINE_KAFKA_PORT", "70000")
    monkeypatch.setattr("sys.argv", ["eddyline", "status"])
    with pytest.raises(SystemExit) as exit_with:
        main()
    assert exit_with.value.code == 2
    said = capsys.readouterr().err
    assert "EDDYLINE_KAFKA_PORT: Input should be less than" in said
    assert "70000" not in said


def test_nudges_without_a_salt_end_up_before_anything_starts_and_tell_no_secret(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("EDDYLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EDDYLINE_NUDGE_DELTA", "0.2")
    monkeypatch.setenv("EDDYLINE_REDIS_URL", "redis://:hidden@127.0.0.1/0")
    monkeypatch.setattr("sys.argv", ["eddyline", "up"])
    with pytest.raises(SystemExit) as exit_with:
        main()
    assert exit_with.value.code == 2
    said = capsys.readouterr().err
    assert "EDDYLINE_NUDGE_SALT: must be set" in said
    assert "hidden" not in said
    assert "starting" not in said
    assert not (tmp_path / "home").exists()
