"""What a state that was written down says of a stack."""

import psutil

from eddyline.stack.addresses import Addresses
from eddyline.stack.process import Status
from eddyline.stack.state import State

NOWHERE = Addresses("", "", None, None, "", "", "", "embedded", {})


def state(**phases: str) -> State:
    """A stack that this process supervises."""
    myself = psutil.Process()
    statuses = tuple(Status(name.replace("_", "-"), phase) for name, phase in phases.items())
    return State(myself.pid, myself.create_time(), NOWHERE, statuses)


def test_some_workers_are_ready_while_others_still_start() -> None:
    starting = state(
        kafka="ready", ingest_0="ready", ingest_1="ready", features_0="ready", ranker_0="starting"
    )
    assert starting.workers_ready(("ingest", "features"))
    assert not starting.ready


def test_each_worker_of_a_kind_counts() -> None:
    assert not state(ingest_0="ready", ingest_1="starting").workers_ready(("ingest",))


def test_nothing_is_ready_without_its_supervisor() -> None:
    gone = State(psutil.Process().pid, 0.0, NOWHERE, (Status("ingest-0", "ready"),))
    assert not gone.workers_ready(("ingest",))
