"""`eddyline train` says in one line what it lacks."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from eddyline.cli import build
from eddyline.commands import datasets, train
from tests.unit.eddyline.replay.logs import as_lines, click, item, ranking


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


def log_of(tmp_path: Path, *, users: int, asked: int = 1, clicked_after_s: int = 5) -> Path:
    """Rankings of two items, the first of which is clicked."""
    events = [item(name, title=name, popularity=1.0, genres=["drama"]) for name in ("f0", "f1")]
    for number in range(20):
        user, at = f"u{number % users}", 10_000 + number * 60
        events += [ranking(f"r{number}", user, at, ["f0", "f1"])] * asked
        events.append(click(f"r{number}", user, at + clicked_after_s, "f0"))
    path = tmp_path / "events.jsonl"
    path.write_bytes(as_lines(events))
    return path


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"users": 1}, "all rows are of one user"),
        ({"users": 2, "asked": 2}, "in a request more than once"),
        ({"users": 2, "clicked_after_s": -3600}, "lies before the impression"),
    ],
)
def test_a_log_that_no_import_takes_is_not_tried_either(
    tmp_path: Path, changes: dict[str, int], told: str
) -> None:
    log = log_of(tmp_path, **changes)
    asked = {train.app: ["--log", str(log)]}
    asked[datasets.app] = ["datasets", "import", str(log), str(tmp_path / "out.csv"), "--mapping", "ranklens"]
    for app, arguments in asked.items():
        result = CliRunner().invoke(app, arguments)
        assert (result.exit_code, told in " ".join(result.output.split())) == (1, True), result.output


@pytest.mark.parametrize("command", ["train", "datasets export out.csv"])
def test_a_label_window_that_the_join_never_observes_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("EDDYLINE_HOME", str(tmp_path))
    monkeypatch.setenv("EDDYLINE_LABEL_WINDOW_S", "901")
    result = CliRunner().invoke(build(), command.split())
    assert result.exit_code == 1
    assert "no outcome later than 900 s" in " ".join(result.output.split())
