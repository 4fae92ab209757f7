"""What docs/features.md and docs/models.md show can be done; an integration test walks through them."""

import re
from pathlib import Path

import msgspec
from typer.main import get_command

from eddyline.cli import build
from feature_store.catalog import read_catalog
from feature_store.definition_files import SHIPPED, SOURCES
from ranker.training.datasets.foreign import Mapping

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/features.md").read_text()
MODELS = (ROOT / "docs/models.md").read_text()
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", PAGE, re.M | re.S)


def test_the_feature_that_is_shown_can_be_declared(tmp_path: Path) -> None:
    (tmp_path / "views.toml").write_text(blocks("toml")[0])
    [feature] = read_catalog(tmp_path).view("item").features
    assert feature.name == "shares_1d"


def test_the_mapping_that_is_shown_can_be_read() -> None:
    assert msgspec.toml.decode(blocks("toml")[2], type=Mapping).labels == {"click": "clicked"}


def test_the_recent_ids_that_are_shown_are_those_that_are_shipped() -> None:
    shown, shipped = (
        msgspec.toml.decode(text)["services"]["timeline_v1"]["recents"]
        for text in (blocks("toml")[1], (SHIPPED / "services.toml").read_text())
    )
    assert shown == shipped


def test_every_aggregator_that_files_may_name_is_explained() -> None:
    assert [name for name in SOURCES if f"`{name}`" not in PAGE] == []


def test_every_command_that_is_shown_exists() -> None:
    shown = re.findall(r"eddyline (features|datasets|verify|models) (\w+)", PAGE + MODELS + README)
    groups = get_command(build()).commands
    assert len(shown) > 10
    assert [words for words in shown if words[1] not in groups[words[0]].commands] == []
