"""What a person sees while a stack starts."""

import io

from rich.console import Console

from eddyline.stack.process import Status
from eddyline.stack.progress import Progress


def test_each_change_that_matters_is_one_line_and_the_addresses_come_once():
    output, ready = io.StringIO(), []
    tell = Progress(
        Console(file=output, log_time=False, log_path=False), when_ready=lambda: ready.append(True)
    )
    tell([Status("kafka", "starting"), Status("topics")])
    tell([Status("kafka", "ready", ready_after_s=2.5), Status("topics")])
    tell([Status("kafka", "ready", ready_after_s=2.5), Status("topics")])
    assert ready == []
    tell([Status("kafka", "down", "exited with status -9"), Status("topics", "done")])
    tell([Status("kafka", "ready", ready_after_s=1.0), Status("topics", "done")])
    tell([Status("kafka", "ready", ready_after_s=1.0), Status("topics", "done")])
    assert [line.split() for line in output.getvalue().splitlines()] == [
        ["kafka", "ready", "after", "2.5", "s"],
        ["kafka", "down", "exited", "with", "status", "-9"],
        ["topics", "done"],
        ["kafka", "ready", "after", "1.0", "s"],
    ]
    assert ready == [True]
