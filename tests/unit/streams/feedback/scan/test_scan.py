"""A scan: the Open Bandit sample's policies, a blind log, a log whose concentration grows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from streams.feedback.scan.log import ExposureLog, LogError, read_log
from streams.feedback.scan.mapping import ColumnMapping
from streams.feedback.scan.report import scan
from streams.feedback.scan.values import RewardDifference

OPEN_BANDIT = Path(__file__).parents[5] / ".." / "shared" / "data" / "open-bandit"
MAPPING = ColumnMapping(
    item="item_id",
    reward="click",
    time="timestamp",
    position="position",
    propensity="propensity_score",
    user=tuple(f"user_feature_{n}" for n in range(4)),
    catalogue_size=34,
)


@pytest.fixture(scope="module")
def bandit_logs() -> tuple[ExposureLog, ExposureLog]:
    """Thompson sampling and uniform exposure of the "men" campaign (Saito et al. 2020)."""
    paths = [OPEN_BANDIT / f"men_{policy}.csv.gz" for policy in ("bts", "random")]
    if not all(path.exists() for path in paths):
        pytest.skip("the Open Bandit sample is not beside this checkout")
    thompson, uniform = (read_log(path, MAPPING) for path in paths)
    return thompson, uniform


def test_thompson_sampling_is_told_from_uniform_exposure(
    bandit_logs: tuple[ExposureLog, ExposureLog],
) -> None:
    thompson, uniform = bandit_logs
    report = scan(thompson, uniform)
    assert report.concentration.concentrated
    assert report.other is not None and not report.other.concentrated
    assert report.concentration.gini > 0.6 > 0.05 > report.other.gini


def test_46_against_69_clicks_carry_no_difference(bandit_logs: tuple[ExposureLog, ExposureLog]) -> None:
    thompson, uniform = bandit_logs
    assert (uniform.reward.sum(), thompson.reward.sum()) == (46, 69)
    found = scan(thompson, uniform).difference
    assert isinstance(found, RewardDifference) and not found.claimed


def test_values_of_uniform_exposure_are_refused_of_a_log_too_far_from_it(
    bandit_logs: tuple[ExposureLog, ExposureLog],
) -> None:
    thompson, uniform = bandit_logs
    of_thompson = [line for line in scan(thompson).values if line.policy == "uniform"]
    assert [line.value for line in of_thompson] == [None, None, None]
    assert all("effective sample size 656" in line.refused for line in of_thompson)
    of_uniform = [line for line in scan(uniform).values if line.policy == "uniform"]
    values = [line.value.value for line in of_uniform if line.value is not None]
    assert values == pytest.approx([0.0046, 0.0046, 0.0046], abs=1e-4)


def made_log(items: np.ndarray, propensity: np.ndarray | None = None) -> ExposureLog:
    n = len(items)
    return ExposureLog(
        item=pa.array(items.astype(str)),
        reward=(np.arange(n) % 10 == 0).astype(float),
        time_ms=np.arange(n, dtype=np.int64),
        position=pa.array([""] * n),
        propensity=propensity,
        cluster=np.arange(n),
        has_users=False,
    )


def test_a_log_without_propensities_is_blind_off_policy_and_still_shows_concentration() -> None:
    report = scan(made_log(np.random.default_rng(0).geometric(0.2, 8000)))
    assert report.concentration.concentrated
    assert [line.value is None for line in report.values] == [False, True]
    assert "blind: the log has no propensities" in report.values[1].refused
    assert any("blind off policy" in note for note in report.notes)


def test_growing_concentration_is_seen_and_that_of_both_logs_is_not() -> None:
    rng = np.random.default_rng(1)
    sharpness = np.linspace(0, 3, 40_000)[:, None]
    weights = np.exp(sharpness * np.linspace(0, 1, 30))
    steps = (weights / weights.sum(axis=1, keepdims=True)).cumsum(axis=1)
    growing, also = ((rng.random((40_000, 1)) > steps).sum(axis=1) for _ in range(2))
    alone = scan(made_log(growing)).trend
    assert alone is not None and alone.against == "uniform"
    assert alone.second_half > alone.first_half
    compared = scan(made_log(growing), made_log(also)).trend
    assert compared is not None and not compared.growing
    assert compared.log10_e < alone.log10_e


def test_a_scan_is_a_function_of_its_seed() -> None:
    log = made_log(np.random.default_rng(2).integers(0, 9, 5000))
    assert scan(log, seed=3).to_json() == scan(log, seed=3).to_json()


def test_catalogue_size_counts_what_was_never_shown() -> None:
    log = made_log(np.random.default_rng(3).integers(0, 9, 5000))
    assert not scan(log).concentration.concentrated
    assert scan(log, catalogue_size=20).concentration.concentrated


def test_one_item_and_disjoint_times_are_refused() -> None:
    with pytest.raises(LogError, match="only one item"):
        scan(made_log(np.zeros(5000)))
    log = made_log(np.random.default_rng(4).integers(0, 9, 5000))
    later = ExposureLog(log.item, log.reward, log.time_ms + 9999, log.position, None, log.cluster, False)
    with pytest.raises(LogError, match="no time in common"):
        scan(log, later)
