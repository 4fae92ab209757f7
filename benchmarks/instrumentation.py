"""What nudges, exploration and the holdout add to a ranking: blocks of the same ranker by turns."""

import time
from collections.abc import Callable, Sequence

import httpx
import numpy as np
from numpy.typing import NDArray

from benchmarks.ranking import WORLD, http_call
from benchmarks.report import Figure
from benchmarks.stack import RunningStack, running_stack
from benchmarks.throughput import wait_until_covered
from benchmarks.workload import produce
from feature_store.clock import SystemClock
from feature_store.online.switches import Switch, SwitchStore, open_switches
from feature_store.settings import Settings
from ranker.experiments.draw import EXPERIMENTS

SIZES = (100, 500)
BLOCKS, CALLS = 40, 50
RESAMPLES = 2_000
ON = {
    "EDDYLINE_NUDGE_DELTA": "0.02",
    "EDDYLINE_NUDGE_SALT": "bench-nudge",
    "EDDYLINE_EXPLORE_SHARE": "0.02",
    "EDDYLINE_EXPLORE_SALT": "bench-explore",
    "EDDYLINE_HOLDOUT_SHARE": "0.05",
    "EDDYLINE_HOLDOUT_SALT": "bench-holdout",
    "EDDYLINE_HOLDOUT_MODEL": "reference/1",
    "EDDYLINE_DEPLOY_SLOTS": "16",
    "EDDYLINE_DEPLOY_SALT": "bench-deploy",
    "EDDYLINE_EXPERIMENTS_EXCEPT": "",
    "EDDYLINE_EXPERIMENTS_COST_MAX": "1",
}


MISSED = (
    "The difference is some tenths of a ms, and the noise of a shared machine as large as the target: see"
    " the upper bound beside it. Tried: draws repeated in Arrow instead of Python, no second slate where"
    " no other version would have answered."
)


def measure() -> list[Figure]:
    """Ratios of p50 and p99, each with the upper end of its 95 % bootstrap interval over pairs of"
    " blocks."""
    with running_stack(EDDYLINE_MODEL="reference", **ON) as stack:
        settings = Settings(kafka_bootstrap=stack.kafka, redis_url=stack.redis, home=stack.home)
        now_ms = time.time_ns() // 1_000_000
        produce(settings, WORLD.items_json(now_ms))
        produce(settings, WORLD.events_json(now_ms - 60_000))
        wait_until_covered(settings)
        switches = open_switches(settings)
        return [figure for size in SIZES for figure in _compare(stack, switches, size)]


def _compare(stack: RunningStack, switches: SwitchStore, size: int) -> list[Figure]:
    times: dict[bool, list[list[float]]] = {False: [], True: []}
    with http_call(stack, size, BLOCKS * CALLS) as (call, _):
        for block in range(-2, BLOCKS):
            instrumented = block % 2 == 0
            _switch(stack, switches, on=instrumented)
            taken = [_milliseconds(call, max(block, 0) * CALLS + n) for n in range(CALLS)]
            if block >= 0:
                times[instrumented].append(taken)
    figures = []
    without, with_them = (np.array(times[on]) for on in (False, True))
    for quantile, target in ((50, 1.05), (99, 1.2)):
        name = f"rank {size} candidates with nudges, exploration and holdout, p{quantile}"
        value, baseline = (float(np.percentile(each, quantile)) for each in (with_them, without))
        figures += [
            Figure(name, value, "ms", "without them", baseline, target, False, True, MISSED),
            Figure(f"{name}, upper 95 % bound of the ratio", _upper(with_them, without, quantile), "x"),
        ]
    return figures


def _switch(stack: RunningStack, switches: SwitchStore, *, on: bool) -> None:
    """Throw the switches, and wait until the ranker says that it has seen them."""
    for experiment in EXPERIMENTS:
        if on:
            switches.switch_on(experiment)
        else:
            switches.switch_off(experiment, Switch("benchmark", SystemClock().now_ms()))
    expected = [f'eddyline_ranker_experiment_running{{experiment="{name}"}} {on:.1f}' for name in EXPERIMENTS]
    while not all(line in _metrics(stack) for line in expected):
        pass


def _metrics(stack: RunningStack) -> str:
    return httpx.get(f"{stack.http}/metrics", trust_env=False).text


def _milliseconds(call: Callable[[int], None], n: int) -> float:
    begun = time.perf_counter_ns()
    call(n)
    return (time.perf_counter_ns() - begun) / 1e6


def _upper(with_them: NDArray[np.float64], without: NDArray[np.float64], quantile: float) -> float:
    """Of the ratio of quantiles, blocks drawn anew in pairs of neighbours."""
    rng = np.random.default_rng(1)
    ratios: Sequence[float] = [
        float(np.percentile(with_them[chosen], quantile) / np.percentile(without[chosen], quantile))
        for chosen in rng.integers(0, len(without), (RESAMPLES, len(without)))
    ]
    return float(np.percentile(ratios, 97.5))
