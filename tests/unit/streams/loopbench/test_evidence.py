"""The course of evidence is that by which alarms are counted."""

import numpy as np
import pytest
from typer.testing import CliRunner

from eddyline.cli import build
from streams.loopbench.alarms import NEVER
from streams.loopbench.campaign import play
from streams.loopbench.evidence import evidence_course
from streams.loopbench.worlds.catalogue import WORLDS

SEEDS = (1, 2)


@pytest.mark.parametrize("name", ["season", "click_count"])
def test_it_crosses_a_page_in_the_epoch_in_which_the_campaign_counts_an_alarm(name):
    course, outcome = evidence_course(WORLDS[name], SEEDS), play(WORLDS[name], SEEDS)
    paged = course.log10_evidence >= course.log10_page
    first = np.where(paged.any(axis=0), paged.argmax(axis=0) + 1, NEVER)
    assert first.tolist() == outcome.watches["board"].page.tolist()
    assert course.events[-1] == pytest.approx(WORLDS[name].events)


def test_the_command_draws_it_and_names_a_world_that_there_is_not(tmp_path):
    plot = tmp_path / "evidence.svg"
    words = ["loops", "evidence", "--world", "click_count", "--seeds", "1", "--output", str(plot)]
    assert CliRunner().invoke(build(), words).exit_code == 0
    assert "click_count: a loop" in plot.read_text()
    refused = CliRunner().invoke(build(), [*words, "--world", "atlantis"])
    assert refused.exit_code == 2
    assert "atlantis" in refused.output
