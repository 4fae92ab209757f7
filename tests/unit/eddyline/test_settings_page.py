"""docs/settings.md: current, complete, with units, and without secrets."""

import re

import pytest

from eddyline.settings_page import PUBLISHED, READERS, declaring, own_fields, settings_page
from eddyline.stack.workers import KINDS
from feature_store.settings import Settings
from tests.unit.deploy.names import ROOT, setting_names, settings_classes

UNITS = {
    "_MS": "ms",
    "_S": r"s|seconds",
    "_HOURS": "hours",
    "_BYTES": "bytes",
    "_MB": "MB",
    "_GB": "GB",
}
"""How a name ends -> what its description says."""
DECLARED = [(name, field) for cls in declaring() for name, field in own_fields(cls).items()]


def test_the_published_page_is_current():
    assert PUBLISHED.read_text() == settings_page(), "run `python -m eddyline.settings_page`, and commit it"


def test_every_setting_that_something_reads_is_there():
    assert settings_classes() == set(declaring())
    assert {kind.module for kind in KINDS} <= READERS.keys()
    assert setting_names() <= set(re.findall(r"`(EDDYLINE_\w+)`", settings_page()))


@pytest.mark.parametrize("name, field", DECLARED, ids=[name for name, _ in DECLARED])
def test_a_setting_says_what_it_means_and_in_which_unit(name, field):
    assert field.description and field.description.endswith(".")
    for unit in (UNITS[end] for end in UNITS if name.endswith(end)):
        assert re.search(rf"\b({unit})\b", field.description), unit


def test_a_setting_that_two_processes_begin_differently_has_both_defaults():
    assert "| `EDDYLINE_JOIN_WINDOW_S` | `600` |" in settings_page()
    assert "| `EDDYLINE_JOIN_WINDOW_S` | `10` |" in settings_page()


def test_secrets_and_folders_of_this_machine_are_not_shown():
    assert (
        f"| `EDDYLINE_REDIS_URL` |  | {Settings.model_fields['redis_url'].description} |" in settings_page()
    )
    assert str(ROOT) not in settings_page()
