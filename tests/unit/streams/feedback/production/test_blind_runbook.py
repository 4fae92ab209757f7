"""The runbook of blindness names every reason that there is."""

from pathlib import Path

import pytest

from streams.feedback.controls import EXPLAINED
from streams.feedback.production import arms_watch, deploy_watch, exploration_watch
from streams.feedback.standing import NOTHING_STAKED

RUNBOOK = Path(__file__).parents[5] / "docs/runbooks/loop-detector-blind.md"
OF_D1 = [reason for name, reason in EXPLAINED.items() if name]
OF_WATCHES = [
    NOTHING_STAKED,
    exploration_watch.NO_DRAWS,
    exploration_watch.NO_PREDICTION,
    exploration_watch.CONTRADICTED,
    exploration_watch.NOTHING_ALIKE,
    arms_watch.NO_HOLDOUT,
    arms_watch.SEVERAL_MODELS,
    arms_watch.FROZEN,
    deploy_watch.NOT_DRAWN,
    deploy_watch.NO_KPI,
    deploy_watch.OTHER_CALENDAR,
]


@pytest.mark.parametrize("reason", [*OF_D1, *OF_WATCHES])
def test_each_reason_is_named_as_the_detector_says_it(reason: str) -> None:
    first_words = reason.partition(":")[0].partition(" than those")[0].partition(" with the")[0]
    assert first_words in RUNBOOK.read_text()
