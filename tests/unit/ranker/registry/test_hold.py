"""What holds training and promotion, and who follows it without waiting for Kafka."""

from feature_store.clock import ManualClock
from feature_store.online.switches import Switch
from feature_store.schema.findings import Acknowledgement, Finding, fold_all
from ranker.registry.hold import Hold, HoldUnknown, Known, hold_of_findings, hold_of_switch
from ranker.registry.hold_watcher import HoldWatcher


def found(name: str, verdict: str, at_ms: int) -> Finding:
    return Finding(
        finding_id=name,
        detector="board",
        subject="timeline_ranker",
        verdict=verdict,
        statistic=8.0,
        threshold=6.9,
        opened_time_ms=1,
        updated_time_ms=at_ms,
        runbook="docs/runbooks/loop-detected.md",
    )


def closed(name: str) -> Acknowledgement:
    return Acknowledgement(
        finding_id=name, subject="timeline_ranker", by="ana", note="mended", closes=True, time_ms=99
    )


def test_open_loops_hold_from_when_the_first_one_was_logged():
    records = [(3, found("loop-1", "warning", 2)), (6, found("loop-2", "loop_detected", 1))]
    records.append((7, found("loop-3", "loop_detected", 4)))
    hold = hold_of_findings(fold_all(records).values())
    assert hold is not None and hold.since_ms == 6
    assert "loop-2 (timeline_ranker), loop-3" in hold.reason and "loop-1" not in hold.reason
    records += [(8, closed("loop-2")), (9, closed("loop-3"))]
    assert hold_of_findings(fold_all(records).values()) is None


def test_the_switch_of_training_holds_and_no_other_does():
    assert hold_of_switch({"nudges": Switch("too dear", 1)}) is None
    hold = hold_of_switch({"training": Switch("looking", 7)})
    assert hold is not None and hold.since_ms == 7
    assert "looking" in hold.reason and "eddyline loops start training" in hold.reason


class Findings:
    """What a watcher asks; HoldUnknown while nothing is set."""

    def __init__(self) -> None:
        self.says: list[Hold | None] = []

    def held(self) -> Hold | None:
        if not self.says:
            raise HoldUnknown("findings cannot be read")
        return self.says[-1]


def test_before_anything_is_known_it_is_held_from_the_start_on():
    watcher = HoldWatcher(Findings().held, ManualClock(50))
    for _ in range(2):
        assert watcher.known.hold is not None and watcher.known.hold.since_ms == 50
        assert watcher.known.as_of_ms == 50
        watcher.refresh()


def test_what_was_known_last_stays_while_nobody_can_say():
    findings, clock = Findings(), ManualClock(50)
    watcher = HoldWatcher(findings.held, clock)
    for says in (Hold("loop-1 is open", 3), None):
        findings.says = [says]
        clock.advance(5)
        watcher.refresh()
        began_ms = clock.now_ms()
        findings.says = []
        clock.advance(5)
        watcher.refresh()
        assert watcher.known == Known(says, began_ms)
