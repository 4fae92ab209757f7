"""D0: what the declared lineage and the broker's consumer groups say together, subject by subject.

Deterministic, so that it keeps nothing: whoever looks again sees the same.
"""

import math
from collections.abc import Iterator, Mapping

from feature_store.lineage import Lineage
from streams.feedback.base import LINEAGE, Verdict, VerdictKind
from streams.feedback.evidence.alarm_budget import PAGE_FLOOR, TICKET_FLOOR
from streams.feedback.lineage import Groups, loops, undeclared_consumers

CONSUMER_GROUPS = "consumer groups"
"""Subject of the verdict on all that was looked at."""
OTHERS = "others"
"""Subject of what is beyond :data:`MOST_SUSPECTS`."""
MOST_SUSPECTS = 20
"""Each becomes a finding: a broker may have thousands of groups that nobody declared."""


def suspects(lineage: Lineage, groups: Groups, now_ms: int) -> dict[str, Verdict]:
    """Subject -> `loop_detected` or `warning`: what closes a loop, and what may.

    A consumer of a model's output that nobody declared is a loop where what it writes leads back to what
    it reads, and a warning where nobody knows what it writes; so is a declared loop whose gain nobody
    decided on. The worst come first, :data:`MOST_SUSPECTS` by their names and the rest as one.
    """
    found = {**dict(_of_consumers(lineage, groups, now_ms)), **dict(_of_loops(lineage, now_ms))}
    worst_first = sorted(found, key=lambda subject: (found[subject].kind is VerdictKind.WARNING, subject))
    named, others = worst_first[:MOST_SUSPECTS], worst_first[MOST_SUSPECTS:]
    chosen = {subject: found[subject] for subject in named}
    if others:
        value = f"{len(others)} more that nobody declared"
        chosen[OTHERS] = _verdict(found[others[0]].kind, now_ms, math.inf, {"value": value})
    return chosen


def fused(found: Mapping[str, Verdict], now_ms: int) -> Verdict:
    """The worst of ``found``: `quiet` where nothing is."""
    kinds = {verdict.kind for verdict in found.values()}
    worst = (VerdictKind.LOOP_DETECTED, VerdictKind.WARNING, VerdictKind.QUIET)
    kind = next(kind for kind in worst if kind in kinds or kind is VerdictKind.QUIET)
    return _verdict(kind, now_ms, math.inf if found else 0.0, {"suspects": list(found)})


def blind(reason: str, now_ms: int) -> Verdict:
    """Nobody could look, for ``reason``."""
    return _verdict(VerdictKind.BLIND, now_ms, 0.0, {}, reason)


def hidden(lineage: Lineage, groups: Groups) -> bool:
    """Whether no declared group is seen: a broker leaves out in silence what its ACLs do not let one see."""
    return not any(topics & set(groups.get(group, ())) for group, topics in lineage.groups().items())


def _of_consumers(lineage: Lineage, groups: Groups, now_ms: int) -> Iterator[tuple[str, Verdict]]:
    for found in undeclared_consumers(lineage, groups):
        if found.closes_loop is not False:
            kind = VerdictKind.LOOP_DETECTED if found.closes_loop else VerdictKind.WARNING
            value = "what it writes leads back" if found.closes_loop else "what it writes is unknown"
            evidence = {"value": value, **found.to_json()}
            yield f"{found.group} reads {found.topic}", _verdict(kind, now_ms, math.inf, evidence)


def _of_loops(lineage: Lineage, now_ms: int) -> Iterator[tuple[str, Verdict]]:
    for loop in loops(lineage):
        if not loop.allowed:
            path = " -> ".join(map(str, loop.nodes))
            evidence = {"value": "nobody decided what it may gain", "loop": path}
            yield path, _verdict(VerdictKind.WARNING, now_ms, math.inf, evidence)


def _verdict(
    kind: VerdictKind, now_ms: int, statistic: float, evidence: Mapping[str, object], reason: str = ""
) -> Verdict:
    """No chance is in it: the evidence is infinite, or there is none."""
    return Verdict(
        kind=kind,
        detector=LINEAGE,
        statistic=statistic,
        ticket=TICKET_FLOOR,
        page=PAGE_FLOOR,
        now_ms=now_ms,
        evidence=evidence,
        reason=reason,
    )
