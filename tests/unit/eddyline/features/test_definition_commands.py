"""`eddyline features check|init|catalogue|cost`: definitions on the command line."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from eddyline.cli import build
from feature_store.catalog import load_catalog

ROOT = Path(__file__).parents[4]


def run(*words: object) -> Result:
    return CliRunner().invoke(build(), ["features", *map(str, words)])


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The shipped definitions in a folder of one's own."""
    folder = tmp_path / "mine"
    assert run("init", folder).exit_code == 0
    return folder


def test_the_published_catalogue_is_current() -> None:
    """If not: `eddyline features catalogue --output docs/catalogue.md`, and commit it."""
    assert run("catalogue", "--output", ROOT / "docs/catalogue.md", "--check").exit_code == 0


def test_a_catalogue_that_is_not_current_is_noticed(mine: Path, tmp_path: Path) -> None:
    page = tmp_path / "catalogue.md"
    assert run("catalogue", mine, "--output", page, "--check").exit_code == 1
    assert run("catalogue", mine, "--output", page).exit_code == 0
    assert run("catalogue", mine, "--output", page, "--check").exit_code == 0
    views = mine / "views.toml"
    views.write_text(views.read_text().replace("All impressions, ever.", "Impressions.", 1))
    assert run("catalogue", mine, "--output", page, "--check").exit_code == 1


def test_the_catalogue_says_what_a_feature_means_and_which_models_use_it(mine: Path) -> None:
    page = run("catalogue", mine).stdout
    assert "| clicks_1h | Clicks, each counting half after an hour. | " in page
    assert (
        "DecayedSum of interaction/click; half_life_s 3600, of_value False | events | 0 | ranking | 16 |"
        in page
    )
    assert "| timeline_v1 | " in page and "timeline_ranker" in page


def test_definitions_of_ones_own_begin_as_those_that_are_shipped(mine: Path) -> None:
    fingerprints = [view.fingerprint for view in load_catalog().views]
    output = run("check", mine).stdout
    assert all(fingerprint in output for fingerprint in fingerprints)
    assert run("init", mine).exit_code == 1


def test_a_broken_definition_is_named_without_a_trace(mine: Path) -> None:
    views = mine / "views.toml"
    views.write_text(views.read_text().replace('event = "impression"', 'event = "impresion"', 1))
    for command in ("check", "cost", "catalogue"):
        result = run(command, mine)
        assert result.exit_code == 1
        assert "view item, feature impression_count_total: there is no event 'impresion'" in result.output
        assert "Traceback" not in result.output


def test_cost_counts_every_byte_of_every_view(mine: Path) -> None:
    found = json.loads(run("cost", mine, "--entities", 2_000_000, "--id-bytes", 8, "--json").stdout)
    assert found["entities"] == 2_000_000
    rows = {view.name: view.width * 8 for view in load_catalog().views}
    assert {name: one["row_bytes"] for name, one in found["views"].items()} == rows
    assert all(one["redis_bytes"] > one["row_bytes"] for one in found["views"].values())


def test_cost_grows_with_what_is_declared(mine: Path) -> None:
    before = json.loads(run("cost", mine, "--json").stdout)["views"]["user_history"]["redis_bytes"]
    views = mine / "views.toml"
    views.write_text(views.read_text().replace("k = 100", "k = 1000", 1))
    after = json.loads(run("cost", mine, "--json").stdout)["views"]["user_history"]["redis_bytes"]
    assert after >= before + 900 * 8
    assert "all" in run("cost", mine).stdout
