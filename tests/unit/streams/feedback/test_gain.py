"""The long-run gain from some nudges only: less memory for a wider interval, never another answer."""

import numpy as np
import pytest

from streams.feedback.feature_path import feature_path
from streams.feedback.gain import GainPlan
from streams.loopbench.parts.click_count import ClickCount
from streams.loopbench.parts.quality import Quality
from streams.loopbench.samplers import Softmax
from streams.loopbench.world import Scale, World

LAGS, RUNS = 5, 8


def test_nudges_followed_one_after_the_other_tell_the_same_gain_less_closely():
    plans = {
        stride: feature_path(["model"], ["click_count", "quality"], gain_plan=GainPlan(LAGS, stride))
        for stride in (1, LAGS)
    }
    world = World(
        [ClickCount(0.15, memory=0.5), Quality()],
        Softmax(),
        Scale(items=300, events=7500.0, delta=0.2),
        range(RUNS),
    )
    for _ in range(60):
        cells = world.step()
        for detector in plans.values():
            detector.update(cells)
    all_nudges, one_by_one = (detector.gain() for detector in plans.values())
    truth = all_nudges.estimate[:, 0, 0].mean()
    held = (one_by_one.lower[:, 0, 0] <= truth) & (truth <= one_by_one.upper[:, 0, 0])
    assert held.all()
    widths = [(gain.upper - gain.lower)[:, 0, 0].mean() for gain in (all_nudges, one_by_one)]
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(LAGS), rel=0.4)
    assert [detector.state()["gain.past"].shape[0] for detector in plans.values()] == [LAGS, 1]


@pytest.mark.parametrize(("lags", "stride"), [(5, 2), (5, 0), (5, 10), (0, 1)])
def test_a_stride_that_does_not_divide_the_lags_is_refused(lags: int, stride: int):
    with pytest.raises(ValueError, match="does not divide"):
        GainPlan(lags, stride)
