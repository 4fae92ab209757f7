"""The examples of docs/loops-scan.md and docs/lineage.md do what the pages say."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eddyline.cli import build
from eddyline.lineage.declared import read_outside
from streams.feedback.scan.mapping import ColumnMapping, read_mapping

ROOT = Path(__file__).parents[4]
OPEN_BANDIT = ROOT / ".." / "shared" / "data" / "open-bandit"


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def test_the_outside_example_closes_a_loop_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDDYLINE_HOME", str(tmp_path / "nowhere"))
    (text,) = blocks("lineage.md", "toml")
    outside = tmp_path / "outside.toml"
    outside.write_text(text)
    assert [str(edge.target) for edge in read_outside(outside)] == ["system:mailer", "people:users"]
    result = CliRunner().invoke(build(), ["lineage", "--outside", str(outside), "--check", "--json"])
    assert result.exit_code == 0, result.output
    loops = json.loads(result.stdout)["loops"]
    mailed = [loop for loop in loops if "system:mailer" in loop["nodes"]]
    assert mailed and all(loop["allowed_gain"] <= 0.02 for loop in mailed)


def test_the_table_of_fields_is_all_that_a_mapping_may_have() -> None:
    text = (ROOT / "docs" / "loops-scan.md").read_text()
    optional = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
    assert optional | {"item", "reward"} == set(ColumnMapping.__struct_fields__)


def test_the_scan_example_says_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (OPEN_BANDIT / "men_bts.csv.gz").exists():
        pytest.skip("the Open Bandit sample is not beside this checkout")
    for name in ("men_bts.csv.gz", "men_random.csv.gz"):
        shutil.copy(OPEN_BANDIT / name, tmp_path / name)
    (mapping,) = blocks("loops-scan.md", "toml")
    (tmp_path / "mapping.toml").write_text(mapping)
    assert read_mapping(tmp_path / "mapping.toml").catalogue_size == 34
    monkeypatch.chdir(tmp_path)
    (command,) = blocks("loops-scan.md", "sh")
    result = CliRunner().invoke(build(), [*shlex.split(command)[1:], "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert f"{report['concentration']['gini']:.3f}"[1:] == ".651"
    assert f"{report['other']['gini']:.3f}"[1:] == ".041"
    assert (report["concentration"]["concentrated"], report["other"]["concentrated"]) == (True, False)
    assert report["difference"]["claimed"] is False
