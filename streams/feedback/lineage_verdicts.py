"""D0: what the declared lineage and the broker's consumer groups say together, subject by subject.

Deterministic, so that it keeps nothing: whoever looks again sees the same.
"""

import math
import sys
from collections.abc import Iterator, Mapping

from feature_store.lineage import Lineage
from streams.feedback.base import Verdict, VerdictKind
from streams.feedback.evidence.alarm_budget import PAGE_FLOOR, TICKET_FLOOR
from streams.feedback.lineage import Groups, UndeclaredConsumer, loops, undeclared_consumers

NAME = "D0"
CONSUMER_GROUPS = "consumer groups"
"""Subject of the verdict on all that was looked at."""
DECLARED_LOOPS = "declared loops"

_CERTAIN = math.log(sys.float_info.max)
"""No chance is in it. The evidence would be infinite, which JSON cannot say."""
_LOOPS_NAMED = 10


def suspects(lineage: Lineage, groups: Groups, now_ms: int) -> dict[str, Verdict]:
    """Subject -> `loop_detected` or `warning`: what closes a loop, and what may.

    A consumer of a model's output that nobody declared is a loop where what it writes leads back to what
    it reads, and a warning where nobody knows what it writes; so is a declared loop whose gain nobody
    decided on.
    """
    consumers = {
        f"{each.group} reads {each.topic}": _of_consumer(each, now_ms)
        for each in undeclared_consumers(lineage, groups)
        if each.closes_loop is not False
    }
    return {**consumers, **dict(_of_loops(lineage, now_ms))}


def fused(found: Mapping[str, Verdict], now_ms: int) -> Verdict:
    """The worst of ``found``: `quiet` where nothing is."""
    kinds = {verdict.kind for verdict in found.values()}
    worst = (VerdictKind.LOOP_DETECTED, VerdictKind.WARNING, VerdictKind.QUIET)
    kind = next(kind for kind in worst if kind in kinds or kind is VerdictKind.QUIET)
    return _verdict(kind, now_ms, _CERTAIN if found else 0.0, {"suspects": list(found)})


def blind(reason: str, now_ms: int) -> Verdict:
    """Nobody could look, for ``reason``."""
    return _verdict(VerdictKind.BLIND, now_ms, 0.0, {}, reason)


def _of_consumer(found: UndeclaredConsumer, now_ms: int) -> Verdict:
    kind = VerdictKind.LOOP_DETECTED if found.closes_loop else VerdictKind.WARNING
    value = "what it writes leads back" if found.closes_loop else "what it writes is unknown"
    return _verdict(kind, now_ms, _CERTAIN, {"value": value, **found.to_json()})


def _of_loops(lineage: Lineage, now_ms: int) -> Iterator[tuple[str, Verdict]]:
    forbidden = [" -> ".join(map(str, loop.nodes)) for loop in loops(lineage) if not loop.allowed]
    if forbidden:
        value = f"{len(forbidden)} without an allowed gain"
        evidence = {"value": value, "loops": forbidden[:_LOOPS_NAMED]}
        yield DECLARED_LOOPS, _verdict(VerdictKind.WARNING, now_ms, _CERTAIN, evidence)


def _verdict(
    kind: VerdictKind, now_ms: int, statistic: float, evidence: Mapping[str, object], reason: str = ""
) -> Verdict:
    return Verdict(
        kind=kind,
        detector=NAME,
        statistic=statistic,
        ticket=TICKET_FLOOR,
        page=PAGE_FLOOR,
        now_ms=now_ms,
        evidence=evidence,
        reason=reason,
    )
