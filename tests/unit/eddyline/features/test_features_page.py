"""What docs/features.md and docs/models.md show can be done; an integration test walks through them."""

import re
from pathlib import Path

import msgspec
from typer.main import get_command

from eddyline.cli import build
from feature_store.catalog import load_catalog, read_catalog
from feature_store.definition_files import SHIPPED, SOURCES
from feature_store.items import ItemTable
from ranker.training.datasets.foreign import Mapping
from streams.ingest.ingestor import Ingestor
from streams.ingest.routes import routes_of
from streams.ingest.settings import IngestSettings
from tests.unit.streams.ingest.ingest_world import NOW_MS, batches, event, run

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/features.md").read_text()
MODELS = (ROOT / "docs/models.md").read_text()
DEFINITIONS = ROOT / "feature_store/definitions"
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", PAGE, re.M | re.S)


def test_the_feature_that_is_shown_can_be_declared(tmp_path: Path) -> None:
    (tmp_path / "views.toml").write_text(blocks("toml")[0])
    [feature] = read_catalog(tmp_path).view("item").features
    assert feature.name == "shares_1d"


def test_the_attribute_of_users_that_the_readme_shows_becomes_a_feature_that_models_read(
    tmp_path: Path,
) -> None:
    """And without these lines, user events feed nothing, as the page says."""
    assert "user" not in load_catalog().entity_events("user")
    for shipped in DEFINITIONS.glob("*.toml"):
        (tmp_path / shipped.name).write_text(shipped.read_text())
    services = tmp_path / "services.toml"
    services.write_text(services.read_text().replace("user = [", 'user = [\n    "profile.age",', 1))
    (lines,) = re.findall(r"^```toml\n(.*?)^```", README, re.M | re.S)
    (tmp_path / "profile.toml").write_text(lines)
    catalog = read_catalog(tmp_path)
    view = catalog.view("profile")
    ingestor = Ingestor(IngestSettings(), routes_of(catalog), ItemTable())
    ingestor.assign({0: 0}, {0: 0})
    told = [event("user", f"e{age}", user_id="u1", attributes={"age": age}) for age in (33, 34)]
    [(_, batch)] = batches(ingestor.ingest([run(*told)]), "user")
    rows = view.blank_rows(1)
    view.fold(rows, batch.entity_index.astype("intp"), batch)
    assert view.finalize(rows, NOW_MS).tolist() == [[34.0]]
    assert catalog.service("timeline_v1").user[0] == "profile.age"


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
