"""e-BH against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feedback.evidence.multiple_testing import e_bh


def _by_definition(e_values, level):
    k = len(e_values)
    falling = sorted(e_values, reverse=True)
    kept = max((i for i in range(1, k + 1) if i * falling[i - 1] >= k / level), default=0)
    return [kept > 0 and value >= falling[kept - 1] for value in e_values]


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=8), st.sampled_from([0.01, 0.05, 0.5]))
def test_it_keeps_what_the_definition_keeps(e_values, level):
    assert e_bh(np.log(e_values), level).tolist() == _by_definition(np.exp(np.log(e_values)).tolist(), level)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(ValueError, match="level"):
        e_bh(np.zeros(3), level)
