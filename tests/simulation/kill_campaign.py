"""Kill workers while events flow, then count: ``python -m tests.simulation.kill_campaign --kills 20``.

Two ingest and two feature workers on a real broker and a real Redis. At random moments of a paced run
one of them is killed with SIGKILL; its supervisor starts it again. In the end the all-time counters of
every entity must equal a count over the events produced, and decayed sums those of an oracle.
"""

import argparse
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.simulation.load import Load
from tests.simulation.pipeline import Pipeline, Workers, pipeline

VICTIMS = ("ingest-0", "ingest-1", "features-0", "features-1")


@dataclass(frozen=True)
class Outcome:
    """What a campaign did and found; ``differences`` must be empty."""

    events: int
    kills: dict[str, int]
    seconds: float
    counters: int
    differences: Sequence[str]


def run_campaign(flow: Pipeline, *, events: int, kills: int, seed: int, events_per_s: int) -> Outcome:
    """Produce, kill, wait until all is folded, compare."""
    rng, began = random.Random(seed), time.monotonic()
    load = Load(flow, rng)
    with flow.workers(ingest=2, features=2) as workers:
        load.produce_items()
        killed = dict.fromkeys(VICTIMS, 0)
        for burst in _cut(rng, events, kills):
            load.produce(burst, events_per_s)
            if sum(killed.values()) < kills:
                killed[_kill_one(workers, rng)] += 1
        flow.wait_settled()
    differences = load.differences()
    return Outcome(events, killed, round(time.monotonic() - began, 1), load.tally.counters(), differences)


def _cut(rng: random.Random, events: int, kills: int) -> list[int]:
    """Lengths of the stretches between kills."""
    cuts = [0, *sorted(rng.sample(range(1, events), kills)), events]
    return [after - before for before, after in itertools.pairwise(cuts)]


def _kill_one(workers: Workers, rng: random.Random) -> str:
    """Kill one that runs; where all are down, wait for the next to come up."""
    while not workers.kill(name := rng.choice(VICTIMS)):
        time.sleep(0.05)
    return name


def main() -> int:
    """Run a campaign in a folder of its own and print what came out of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=2_500, help="events a second")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eddyline-campaign-") as home, pipeline(Path(home)) as flow:
        outcome = run_campaign(
            flow,
            events=arguments.events,
            kills=arguments.kills,
            seed=arguments.seed,
            events_per_s=arguments.rate,
        )
    print(json.dumps(asdict(outcome), indent=2))
    return 1 if outcome.differences else 0


if __name__ == "__main__":
    sys.exit(main())
