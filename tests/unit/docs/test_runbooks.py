"""Runbooks and decision records: complete, and reached by those who need them."""

import re

import pytest
import yaml

from tests.unit.deploy.names import DEPLOY
from tests.unit.docs.pages import names, text

RUNBOOKS = [page for page in names() if page.startswith("docs/runbooks/")]
RECORDS = [page for page in names() if page.startswith("docs/adr/")]
RULES = [
    rule
    for path in sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_leads_to_a_runbook_that_names_it(rule):
    assert f"`{rule['alert']}`" in text(rule["annotations"]["runbook"])


@pytest.mark.parametrize("page", RUNBOOKS)
def test_each_runbook_is_led_to_by_an_alert_or_by_another_page(page):
    led_to = {rule["annotations"]["runbook"] for rule in RULES}
    name = page.rpartition("/")[2]
    assert page in led_to or any(name in text(other) for other in names() if other != page)


@pytest.mark.parametrize("page", RUNBOOKS)
def test_a_runbook_says_what_it_means_what_to_do_and_what_to_keep(page):
    headings = re.findall(r"^## (.*)$", text(page), re.MULTILINE)
    assert headings[0] == "What it means for users"
    assert headings[-1] == "What to keep"
    assert any(heading.startswith("How") for heading in headings)


@pytest.mark.parametrize("page", RUNBOOKS)
def test_a_runbook_names_only_alerts_that_exist(page):
    assert set(re.findall(r"`(Eddyline[A-Z]\w+)`", text(page))) <= {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("page", RECORDS)
def test_a_decision_record_has_status_context_decision_and_consequences(page):
    headings = re.findall(r"^## (.*)$", text(page), re.MULTILINE)
    assert re.search(r"^\*\*Status:\*\* (accepted|superseded by .+)$", text(page), re.MULTILINE)
    assert [heading for heading in headings if heading != "Considered"] == [
        "Context",
        "Decision",
        "Consequences",
    ]
