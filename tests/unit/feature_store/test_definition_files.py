"""Definitions are read from files; what cannot work is refused with a message that names its place."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.aggregators import DecayedSum
from feature_store.catalog import Catalog, InvalidDefinition, load_catalog, read_catalog
from feature_store.definition_files import SHIPPED, SOURCES, read_definitions
from feature_store.features import Rate

FINGERPRINTS = {
    "item": "710eed75203e",
    "user": "5b51cd0ec636",
    "creator": "f818b9f28ef7",
    "user|creator": "2602e68ccef8",
    "user|genres": "37dba6193e47",
    "user_history": "60b467ffb2a2",
    "user_blocks": "59b54e9e016f",
}
"""Of rows that deployments hold: whoever changes one of these views makes them begin again from nothing."""

GOOD = """
[views.item]
entity = "item"
owner = "ranking"

[views.item.features]
clicks = { aggregator = "count", event = "interaction/click", unit = "events", description = "Clicks." }
views = { aggregator = "count", event = "impression", unit = "events", description = "Impressions." }
clicks_1h = { aggregator = "decayed_sum", event = "interaction/click", half_life_s = 3600, unit = "events", \
description = "Clicks of late.", owner = "trends" }
ctr = { aggregator = "rate", numerator = "clicks", denominator = "views", unit = "1", description = "CTR." }

[item_attributes]
runtime = { unit = "min", description = "Length." }

[services.s]
user = []
candidate = ["item.clicks_1h", "attribute.runtime"]
ids = { item = "item_id" }
"""


def folder_of(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


def refusal(folder: Path) -> str:
    with pytest.raises(InvalidDefinition) as refused:
        read_catalog(folder)
    return str(refused.value)


def test_the_shipped_views_read_the_rows_that_there_are() -> None:
    shipped = {view.name: view.fingerprint for view in load_catalog().views}
    assert {name: shipped.get(name) for name in FINGERPRINTS} == FINGERPRINTS


def test_a_feature_is_a_line_of_a_file(tmp_path: Path) -> None:
    catalog = read_catalog(folder_of(tmp_path, mine=GOOD))
    clicks, _, late, rate = catalog.view("item").features
    assert late.source == DecayedSum("interaction/click", 3600)
    assert rate.source == Rate("clicks", "views")
    assert (clicks.owner, late.owner, late.unit) == ("ranking", "trends", "events")
    assert catalog.service("s").candidate == ("item.clicks_1h", "attribute.runtime")


def test_a_folder_may_have_several_files(tmp_path: Path) -> None:
    views, _, rest = GOOD.partition("[item_attributes]")
    apart = read_catalog(folder_of(tmp_path, a=views, b="[item_attributes]" + rest))
    (tmp_path / "one").mkdir()
    together = read_catalog(folder_of(tmp_path / "one", all=GOOD))
    assert apart.service("s").fingerprint == together.service("s").fingerprint


def test_the_definitions_of_a_deployment_are_those_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDDYLINE_DEFINITIONS", str(folder_of(tmp_path, mine=GOOD)))
    load_catalog.cache_clear()
    try:
        assert [view.name for view in load_catalog().views] == ["item"]
    finally:
        load_catalog.cache_clear()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "half_life_s = 3600",
            'half_life_s = "1h"',
            "mine.toml, view item, feature clicks_1h: Expected `int`",
        ),
        ("half_life_s = 3600", "half_life_s = 0", "feature clicks_1h: half_life_s must be positive, not 0"),
        ("half_life_s = 3600", "half_life_s = 9999999999999", "half_life_s is 9999999999999, which is more"),
        ("half_life_s = 3600, ", "", "feature clicks_1h (decayed_sum): half_life_s is missing"),
        (
            "half_life_s = 3600",
            "half_life = 3600",
            "half_life is unknown; it takes event, half_life_s, of_value",
        ),
        (
            'aggregator = "decayed_sum"',
            'aggregator = "decayed"',
            "there is no aggregator 'decayed'; there are age",
        ),
        (
            ', unit = "events", description = "Clicks."',
            "",
            "feature clicks: Object missing required field `unit`",
        ),
        ('numerator = "clicks"', 'numerator = "likes"', "likes is no counted feature of the view"),
        ('entity = "item"', "entity = 3", "mine.toml, view item: Expected `str`, got `int` - at `$.entity`"),
        ('entity = "item"\n', "", "Object missing required field `entity`"),
        ('entity = "item"', 'entity = "item"\nttl = 3', "Object contains unknown field `ttl`"),
        (
            "[views.item]",
            "[view.item]",
            "mine.toml: there is no table 'view'; there are views, item_attributes",
        ),
        (
            'unit = "min"',
            'unit = "min", default = nan',
            "item attribute runtime: default must be a finite number",
        ),
        ('{ item = "item_id" }', '{ item = "film_id" }', "there is no source 'film_id'"),
        ("[services.s]", '[services."S 1"]', "service 'S 1': a name has lower-case letters"),
        ("[services.s]", "[services", "mine.toml is no TOML file: "),
    ],
)
def test_what_cannot_work_is_refused_by_name(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    assert message in refusal(folder_of(tmp_path, mine=GOOD.replace(old, new, 1)))


def test_a_view_in_two_files_is_refused(tmp_path: Path) -> None:
    views, _, _ = GOOD.partition("[item_attributes]")
    assert "view item is declared twice" in refusal(folder_of(tmp_path, a=views, b=views))


def test_a_folder_without_definitions_is_refused(tmp_path: Path) -> None:
    assert "there are no definitions (*.toml) here" in refusal(tmp_path)


def test_a_row_that_is_too_wide_to_read_is_refused(tmp_path: Path) -> None:
    wide = GOOD.replace('"count", event', '"recent_ids", column = "item_hash", k = 5000, event', 1)
    wide = wide[: wide.index("ctr =")] + wide[wide.index("[item_attributes]") :]
    assert "view item: a row of it has" in refusal(folder_of(tmp_path, mine=wide))


def places(table: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Paths of everything inside nested tables and lists."""
    inside = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    return [place for key, value in inside for place in ((*path, key), *places(value, (*path, key)))]


JUNK = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["item", "user|creator", "impression", "interaction/*", "attribute.x[3]", *SOURCES]),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def write_toml(path: Path, document: dict[str, object]) -> None:
    path.write_text("\n".join(f"{_text(key)} = {_text(value)}" for key, value in document.items()) + "\n")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_text(key)} = {_text(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08X}" for char in value) + '"'
    return repr(value)


@given(st.data())
def test_whatever_is_wrong_with_a_definition_it_works_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document = tomllib.loads(GOOD)
    for path in data.draw(st.lists(st.sampled_from(places(document)), min_size=1, max_size=3)):
        _replace(document, path, data.draw(JUNK))
    folder = tmp_path_factory.mktemp("definitions")
    write_toml(folder / "mine.toml", document)
    try:
        catalog = read_catalog(folder)
    except InvalidDefinition as refused:
        assert str(refused)
    else:
        _works(catalog)


def _replace(document: object, path: tuple[str | int, ...], junk: object) -> None:
    """Put ``junk`` at the place, or take away what is there; a place that is gone stays so."""
    for key in path[:-1]:
        try:
            document = document[key]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(document, dict):
        document.pop(path[-1], None)
        if junk is not None:
            document[path[-1]] = junk


def _works(catalog: Catalog) -> None:
    for view in catalog.views:
        assert view.finalize(view.blank_rows(2), 1_700_000_000_000).shape == (2, len(view.columns))


def test_the_shipped_files_say_of_every_feature_what_it_is() -> None:
    views = read_definitions(SHIPPED).views
    assert all(feature.description and feature.owner for view in views for feature in view.features)
