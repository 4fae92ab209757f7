from pathlib import Path

import pytest

from eddyline.demo.home import FolderInUse, fresh_home


def test_a_demo_leaves_nothing_but_its_logs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with fresh_home(home, 1.0):
        (home / "kafka").mkdir()
        (home / "ports.json").write_text("{}")
        (home / "logs").mkdir()
        (home / "logs" / "kafka.log").write_text("started")
    assert [entry.name for entry in home.iterdir()] == ["logs"]
    assert (home / "logs" / "kafka.log").read_text() == "started"


def test_what_a_killed_demo_left_is_thrown_away(tmp_path: Path) -> None:
    with fresh_home(tmp_path, 1.0):
        mark = (tmp_path / "demo").read_bytes()
    (tmp_path / "demo").write_bytes(mark)
    (tmp_path / "redis").mkdir()
    with fresh_home(tmp_path, 1.0):
        assert not (tmp_path / "redis").exists()


def test_another_stacks_state_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with pytest.raises(FolderInUse, match="EDDYLINE_HOME"), fresh_home(tmp_path, 1.0):
        pass
    assert (tmp_path / "redis").is_dir()


def test_the_state_goes_even_if_the_demo_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="show"), fresh_home(tmp_path, 1.0):
        (tmp_path / "kafka").mkdir()
        raise RuntimeError("the show failed")
    assert list(tmp_path.iterdir()) == []
