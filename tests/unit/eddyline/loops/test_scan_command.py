"""`eddyline loops scan` on a log of a few thousand rows."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from eddyline.cli import build

MAPPING = 'item = "item"\nreward = "click"\npropensity = "p"\n'


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A log of a policy that prefers item 0, and its mapping."""
    rng = np.random.default_rng(0)
    chance = np.array([0.7, 0.1, 0.1, 0.1])
    item = rng.choice(4, 4000, p=chance)
    click = rng.random(4000) < 0.1
    log, mapping = tmp_path / "log.csv", tmp_path / "mapping.toml"
    rows = [f"{i},{int(c)},{chance[i]}" for i, c in zip(item, click, strict=True)]
    log.write_text("\n".join(["item,click,p", *rows]))
    mapping.write_text(MAPPING)
    return log, mapping


def test_it_prints_json(files: tuple[Path, Path]) -> None:
    log, mapping = files
    result = CliRunner().invoke(build(), ["loops", "scan", str(log), "--mapping", str(mapping), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert report["concentration"]["concentrated"] is True
    assert [line["estimator"] for line in report["values"]] == ["mean", "ips", "snips", "dr"]
    assert all(line["value"]["low"] < 0.1 < line["value"]["high"] for line in report["values"])


def test_it_prints_tables_and_what_limits_them(files: tuple[Path, Path]) -> None:
    log, mapping = files
    result = CliRunner().invoke(
        build(), ["loops", "scan", str(log), "--mapping", str(mapping), "--against", str(log)]
    )
    assert result.exit_code == 0, result.output
    for part in ("exposure", "concentrated", "snips", "no difference can be claimed", "no user column"):
        assert part in result.output


def test_a_wrong_log_is_one_line_not_a_trace(files: tuple[Path, Path]) -> None:
    log, mapping = files
    log.write_text("item,click,p\n0,1,1.5\n")
    result = CliRunner().invoke(build(), ["loops", "scan", str(log), "--mapping", str(mapping)])
    assert result.exit_code == 1
    assert "column 'p'" in result.output and "Traceback" not in result.output
