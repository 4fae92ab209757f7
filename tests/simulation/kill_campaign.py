"""Kill workers while events and requests flow, then count: ``python -m tests.simulation.kill_campaign``.

Two workers of each stage, from ingest to the ranker, on a real broker and a real Redis; models run in the
rankers themselves. At random moments of a paced run one worker is killed with SIGKILL; its supervisor starts
it again. In the end the all-time counters of every entity must equal a count over the events produced, and
decayed sums those of an oracle; every request that the broker took is answered; and what was displayed is in
`exposures` as the logs have it.
"""

import argparse
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from feature_store.clock import SystemClock
from ranker.registry.bootstrap import bootstrap
from ranker.registry.folders import ModelFolders
from ranker.registry.signature import default_signature
from tests.simulation.callers import Callers, asking
from tests.simulation.exposure_audit import ExposureAudit
from tests.simulation.load import Load
from tests.simulation.pipeline import Pipeline, Workers, pipeline, wait_until

STAGES = ("ingest", "features", "join", "ranker")
VICTIMS = tuple(f"{stage}-{instance}" for stage in STAGES for instance in range(2))
WINDOW_S = 5
_PATIENCE_S = 300.0
_SETTINGS = {
    "EDDYLINE_INFERENCE": "embedded",
    "EDDYLINE_RANK_MAX_AGE_MS": "600000",
    "EDDYLINE_JOIN_WINDOW_S": str(WINDOW_S),
}


@dataclass(frozen=True)
class Outcome:
    """What a campaign did and found; ``differences`` must be empty.

    Attributes
    ----------
    kills : worker -> how often it was killed
    requests, answered_again : that the broker took; of these, answered more than once
    counters, exposures : that were compared
    orphans : exposures whose answer was not logged in time, by a ranker that was killed
    """

    events: int
    kills: dict[str, int]
    seconds: float
    requests: int
    answered_again: int
    counters: int
    exposures: int
    orphans: int
    differences: Sequence[str]


def run_campaign(
    flow: Pipeline, *, events: int, kills: int, seed: int, events_per_s: int, requests_per_s: float
) -> Outcome:
    """Produce, ask, kill, wait until all is answered, folded and joined, compare."""
    rng, began = random.Random(seed), time.monotonic()
    load = Load(flow, rng)
    callers = Callers(flow.settings, random.Random(seed), load.now_ms, requests_per_s)
    bootstrap(ModelFolders(flow.settings.model_repository), default_signature(), SystemClock())
    with flow.workers(_SETTINGS, **dict.fromkeys(STAGES, 2)) as workers:
        load.produce_items()
        with asking(callers):
            killed = _kill_under_load(workers, load, rng, events, kills, events_per_s)
            callers.wait_answered(_PATIENCE_S)
        audit = ExposureAudit(flow.settings, callers.clicks(), WINDOW_S * 1000)
        flow.wait_settled(_PATIENCE_S)
        wait_until(lambda: not audit.missing(), "all is joined", _PATIENCE_S, audit.missing)
    for event in callers.events:
        load.tally.add(event)
    return Outcome(
        events=events,
        kills=killed,
        seconds=round(time.monotonic() - began, 1),
        requests=len(callers.acknowledged),
        answered_again=sum(answers > 1 for answers in callers.answers.values()),
        counters=load.tally.counters(),
        exposures=len(callers.clicks()),
        orphans=audit.orphans(),
        differences=[*load.differences(), *audit.differences()],
    )


def _kill_under_load(
    workers: Workers, load: Load, rng: random.Random, events: int, kills: int, events_per_s: int
) -> dict[str, int]:
    """Produce all events, with a kill between stretches of them; how often each worker was killed."""
    killed, victims = dict.fromkeys(VICTIMS, 0), _victims(rng)
    for burst in _cut(rng, events, kills):
        load.produce(burst, events_per_s)
        if sum(killed.values()) < kills:
            killed[_kill_one(workers, victims)] += 1
    return killed


def _cut(rng: random.Random, events: int, kills: int) -> list[int]:
    """Lengths of the stretches between kills."""
    cuts = [0, *sorted(rng.sample(range(1, events), kills)), events]
    return [after - before for before, after in itertools.pairwise(cuts)]


def _victims(rng: random.Random) -> Iterator[str]:
    """All workers in a random order, then all in another one, and so on."""
    while True:
        yield from rng.sample(VICTIMS, len(VICTIMS))


def _kill_one(workers: Workers, victims: Iterator[str]) -> str:
    """Kill the next that runs; where all are down, wait for one to come up."""
    while not workers.kill(name := next(victims)):
        time.sleep(0.05)
    return name


def main() -> int:
    """Run a campaign in a folder of its own and print what came out of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=1_500, help="events a second")
    parser.add_argument("--requests", type=float, default=20, help="rank requests a second")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eddyline-campaign-") as home, pipeline(Path(home)) as flow:
        outcome = run_campaign(
            flow,
            events=arguments.events,
            kills=arguments.kills,
            seed=arguments.seed,
            events_per_s=arguments.rate,
            requests_per_s=arguments.requests,
        )
    print(json.dumps(asdict(outcome), indent=2))
    return 1 if outcome.differences else 0


if __name__ == "__main__":
    sys.exit(main())
