"""`eddyline train` says in one line what it lacks."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from eddyline.commands import train


def test_a_broker_out_of_reach_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from feature_store import topic_log

    monkeypatch.setenv("EDDYLINE_HOME", str(tmp_path))
    monkeypatch.setenv("EDDYLINE_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setattr(topic_log, "_TIMEOUT_S", 0.2)
    result = CliRunner().invoke(train.app, [])
    assert result.exit_code == 1
    assert result.output.startswith("eddyline: ")
    assert "Traceback" not in result.output


def test_a_gate_that_is_not_there_is_refused() -> None:
    result = CliRunner().invoke(train.app, ["--gate", "nowhere.toml"])
    assert result.exit_code == 2
    assert "nowhere.toml" in result.output


@pytest.mark.parametrize("option", [["--fraction", "1.5"], ["--fraction", "0"]])
def test_a_share_outside_its_range_is_refused(option: list[str]) -> None:
    result = CliRunner().invoke(train.app, option)
    assert result.exit_code == 2
    assert "--fraction" in result.output
