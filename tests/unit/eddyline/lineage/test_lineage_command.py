"""`eddyline lineage` and what it assembles."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from eddyline.cli import build
from eddyline.lineage.declared import declared_lineage, read_outside
from feature_store.catalog import load_catalog
from feature_store.lineage import LineageError, model
from feature_store.schema.topics import topic_specs
from feature_store.settings import Settings
from ranker.lineage import BUILT_IN_MODELS, TRAINED_MODEL, TRENDING
from streams.feedback.lineage import loops
from streams.feedback.production.epochs import TOPICS

OUTSIDE = """
[[edge]]
source = "topic:rank.responses"
target = "system:mailer"
group = "mailer"
why = "sends the best item by mail"

[[edge]]
source = "system:mailer"
target = "people:users"
"""


@pytest.fixture(autouse=True)
def _no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDYLINE_HOME", str(tmp_path / "nowhere"))


def test_what_is_declared_names_only_topics_that_there_are() -> None:
    declared = {node.name for node in declared_lineage().nodes if node.kind == "topic"}
    assert declared <= {spec.name for spec in topic_specs(Settings(), load_catalog().entities)}


def test_names_are_those_that_the_code_uses() -> None:
    from ranker.service import wiring
    from ranker.training import run
    from streams.apps.runtime import build_app

    assert run.NAME == TRAINED_MODEL
    assert wiring.TRENDING == TRENDING
    assert not set(BUILT_IN_MODELS) & {run.NAME}
    groups = declared_lineage().groups()
    for name in ("features", "join", "detectors"):
        assert build_app(name, Settings(), (), lambda _: None).conf.id in groups  # type: ignore[arg-type]


def test_the_detectors_are_declared_to_read_what_they_read() -> None:
    assert declared_lineage().groups()["eddyline-detectors"] == set(TOPICS)


def test_every_shipped_loop_has_a_gain_that_somebody_allowed() -> None:
    found = loops(declared_lineage())
    assert found and all(loop.allowed for loop in found)
    assert any(model(TRAINED_MODEL) in loop.nodes for loop in found)


def test_it_prints_loops_and_draws(tmp_path: Path) -> None:
    drawing = tmp_path / "lineage.svg"
    result = CliRunner().invoke(build(), ["lineage", "--svg", str(drawing), "--check"])
    assert result.exit_code == 0, result.output
    assert "declared loops" in result.output and "no broker asked" in result.output
    assert ElementTree.fromstring(drawing.read_text()).tag.endswith("svg")


def test_an_outside_loop_that_nobody_allowed_fails_the_check(tmp_path: Path) -> None:
    outside = tmp_path / "outside.toml"
    outside.write_text(OUTSIDE.replace('"people:users"', '"topic:rank.responses"'))
    result = CliRunner().invoke(build(), ["lineage", "--outside", str(outside), "--check", "--json"])
    assert result.exit_code == 1
    printed = json.loads(result.output)
    assert printed["loops"][0] == {"nodes": ["system:mailer", "topic:rank.responses"], "allowed_gain": None}
    assert printed["undeclared_consumers"] is None


def test_outside_systems_are_part_of_the_lineage(tmp_path: Path) -> None:
    outside = tmp_path / "outside.toml"
    outside.write_text(OUTSIDE)
    assert "rank.responses" in declared_lineage(outside).groups()["mailer"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[edge]]\nsource = "rank.responses"\ntarget = "system:x"', "'rank.responses': expected kind:name"),
        ('[[edge]]\nsource = "topic:a"', "missing required field `target`"),
        ('[[edge]]\nsource = "topic:a"\ntarget = "topic:b"\nallowed_gain = -1.0', "allowed_gain"),
        ("[[edge]", "line"),
    ],
)
def test_a_wrong_lineage_file_is_refused_by_field(tmp_path: Path, text: str, message: str) -> None:
    outside = tmp_path / "outside.toml"
    outside.write_text(text)
    with pytest.raises(LineageError, match=message):
        read_outside(outside)
