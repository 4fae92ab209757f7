"""Documents name what exists: files, classes, commands, settings, metrics, pages."""

import fnmatch
import itertools
import re
from functools import cache

import pytest

from feature_store.catalog import load_catalog
from feature_store.schema.topics import topic_specs
from feature_store.settings import Settings
from tests.unit.deploy.names import PACKAGES, ROOT, SETTING, commands, setting_names
from tests.unit.deploy.series import KINDS, exported
from tests.unit.docs.pages import blocks, names, spans, text

PATH = re.compile(r"[\w{},.-]*[\w}](?:/[\w{},.-]+)*/?")
SUFFIXES = (".py", ".toml", ".lua", ".yml", ".yaml", ".sh", ".md", ".lock", ".json")
CLASS = re.compile(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b")
COMMAND = re.compile(r"(?<![\w/.-])(?:\.venv/bin/)?eddyline((?: +(?:--)?[\w./<>$\"=-]+)*)")
METRIC = re.compile(r"eddyline_[a-z0-9_]*[a-z0-9]\b(?!\s*[<*])")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
KEPT = re.compile(r"`([\w.*-]+)` \(kept (\d+) days\)")
NOT_OURS = {"state.json", "metadata.json", "ports.json", "mapping.toml"}
"""Files that a running stack writes, or that whoever reads writes."""
FOLDERS = {
    "deploy",
    "docs",
    "tests",
    "benchmarks",
    "triton_models",
    *(package.__name__ for package in PACKAGES),
}


@cache
def tree() -> list[str]:
    """Every file and folder of the project as a path from the root, with a slash before it."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return [f"/{path.relative_to(ROOT).as_posix()}" for path in [*found, *ROOT.glob("*")]]


@cache
def classes() -> set[str]:
    """Every CamelCase word in what is not a test: classes, alerts, words of others."""
    where = [path for folder in FOLDERS - {"tests"} for path in (ROOT / folder).rglob("*.*")]
    return {
        word
        for path in where
        if path.suffix in {".py", ".yml", ".yaml"}
        for word in CLASS.findall(path.read_text())
    }


@cache
def metrics() -> set[str]:
    """Names of metrics, as of their series."""
    endings = [ending for ending in itertools.chain(*KINDS.values()) if ending]
    return set(exported()) | {name.removesuffix(ending) for name in exported() for ending in endings}


def expanded(path: str) -> list[str]:
    """``a/{b,c}/d`` as ``a/b/d`` and ``a/c/d``."""
    parts = [part.split(",") for part in re.split(r"[{}]", path)]
    return ["".join(chosen) for chosen in itertools.product(*parts)]


def paths(page: str) -> set[str]:
    """Files and folders of ours that a document names: by a suffix, or by beginning with a folder of ours."""
    named = {span for span in spans(page) if PATH.fullmatch(span)}
    ours = {
        span for span in named if span.endswith(SUFFIXES) or (span.split("/")[0] in FOLDERS and "/" in span)
    }
    return {path.rstrip("/") for span in ours for path in expanded(span)} - NOT_OURS


def said_commands(page: str) -> list[list[str]]:
    code = [*spans(page), *blocks(page, "sh")]
    return [match.split() for piece in code for match in COMMAND.findall(piece)]


def unknown(words: list[str]) -> str | None:
    """What of ``eddyline WORDS`` the command line does not know, None where it knows all."""
    known = commands()
    at: tuple[str, ...] = ()
    for word in words:
        if (*at, word) in known:
            at = (*at, word)
        elif word.startswith("--"):
            options = {
                name
                for parameter in known[at].params
                for name in (*parameter.opts, *parameter.secondary_opts)
            }
            if word.partition("=")[0] not in options | {"--help"}:
                return word
        elif hasattr(known[at], "commands"):
            return word
    return None


@pytest.mark.parametrize("page", names())
def test_each_file_that_a_document_names_exists(page):
    for path in paths(page):
        assert any(each.endswith(f"/{path}") for each in tree()), path


@pytest.mark.parametrize("page", names())
def test_each_class_and_alert_that_a_document_names_exists(page):
    assert {name for span in spans(page) for name in CLASS.findall(span)} <= classes()


@pytest.mark.parametrize("page", names())
def test_each_command_that_a_document_names_parses(page):
    for words in said_commands(page):
        assert unknown(words) is None, f"eddyline {' '.join(words)}"


def test_a_command_that_does_not_exist_is_found():
    assert unknown(["deadletters", "lst"]) == "lst"
    assert unknown(["status", "--jsn"]) == "--jsn"
    assert unknown(["replay", "ranklens", "events.jsonl.gz", "--rate"]) is None


@pytest.mark.parametrize("page", names())
def test_each_setting_that_a_document_names_exists(page):
    assert set(SETTING.findall(text(page))) <= setting_names()


@pytest.mark.parametrize("page", names())
def test_each_metric_that_a_document_names_exists(page):
    assert {name for span in spans(page) for name in METRIC.findall(span)} <= metrics()


@pytest.mark.parametrize("page", names())
def test_topics_are_kept_as_long_as_a_document_says(page):
    retention = {spec.name: spec.retention_ms for spec in topic_specs(Settings(), load_catalog().entities)}
    for topic, days in KEPT.findall(text(page)):
        found = {retention[name] for name in fnmatch.filter(retention, topic)}
        assert found == {int(days) * 24 * 3600 * 1000}, topic


@pytest.mark.parametrize("page", names())
def test_each_page_that_a_document_links_to_exists(page):
    folder = (ROOT / page).parent
    for link in LINK.findall(text(page)):
        assert "://" in link or (folder / link).exists(), link


@pytest.mark.parametrize("page", names())
def test_each_make_target_that_a_document_names_exists(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = [*spans(page), *blocks(page, "sh")]
    assert {target for piece in code for target in re.findall(r"\bmake ([a-z]+)", piece)} <= targets
