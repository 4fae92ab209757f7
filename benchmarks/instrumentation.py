"""What nudges, exploration and the holdout add to a ranking: short blocks of the same ranker, in pairs.

Both blocks of a pair ask the same, one right after the other, in random order.
"""

import time
from collections.abc import Callable

import httpx
import numpy as np

from benchmarks.paired import paired_ratio, turns
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
PAIRS, CALLS, SETTLING = 200, 25, 3
"""Pairs of blocks, calls of a block, and calls before them that are not measured. To throw the switches takes
a quarter of a second, so that a pair takes about half a one."""
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
    """The ratio of medians with its 95 % interval; p99 of all calls."""
    with running_stack(EDDYLINE_MODEL="reference", **ON) as stack:
        settings = Settings(kafka_bootstrap=stack.kafka, redis_url=stack.redis, home=stack.home)
        now_ms = time.time_ns() // 1_000_000
        produce(settings, WORLD.items_json(now_ms))
        produce(settings, WORLD.events_json(now_ms - 60_000))
        wait_until_covered(settings)
        switches = open_switches(settings)
        return [figure for size in SIZES for figure in _compare(stack, switches, size)]


def _compare(stack: RunningStack, switches: SwitchStore, size: int) -> list[Figure]:
    rng, name = np.random.default_rng(1), f"rank {size} candidates with nudges, exploration and holdout"
    times: dict[bool, list[list[float]]] = {False: [], True: []}
    with http_call(stack, size, PAIRS * CALLS) as (call, _):
        for pair, order in enumerate(turns(PAIRS, rng)):
            for on in order:
                _switch(stack, switches, on=on)
                times[on].append(_block(call, pair * CALLS))
    without, with_them = (np.array(times[on]) for on in (False, True))
    value, bare = float(np.median(with_them)), float(np.median(without))
    slowest, slowest_bare = (float(np.percentile(each, 99)) for each in (with_them, without))
    ratio, base = paired_ratio(with_them, without, rng), "without them"
    return [
        Figure(f"{name}, p50", value, "ms", base, bare),
        Figure(
            f"{name}, p50, median ratio of pairs",
            ratio.estimate,
            "x",
            target=1.05,
            at_least=False,
            note=MISSED,
        ),
        Figure(f"{name}, p50, lower 95 % bound of the ratio", ratio.lower, "x"),
        Figure(f"{name}, p50, upper 95 % bound of the ratio", ratio.upper, "x"),
        Figure(
            f"{name}, p99",
            slowest,
            "ms",
            base,
            slowest_bare,
            1.2,
            at_least=False,
            bound_ratio=True,
            note=MISSED,
        ),
    ]


def _block(call: Callable[[int], None], first: int) -> list[float]:
    for n in range(SETTLING):
        call(first + n)
    return [_milliseconds(call, first + n) for n in range(CALLS)]


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
