"""D0 as a detector: says who reads a model's output undeclared, each time the groups are looked at."""

import math
from collections.abc import Iterable

import numpy as np

from feature_store.lineage import Lineage
from streams.feedback.base import State, Verdict, VerdictKind
from streams.feedback.evidence.alarm_budget import PAGE_FLOOR, TICKET_FLOOR
from streams.feedback.lineage import Groups, UndeclaredConsumer, undeclared_consumers

_SEPARATOR = "\n"


class LineageDetector:
    """Compares the broker's consumer groups with the declared lineage.

    Deterministic: there is no chance in it, so that a loop found is infinite evidence. A consumer whose
    writes close a loop is `loop_detected`; one whose writes nobody knows is a `warning`.
    """

    name = "D0"
    _seen: dict[str, frozenset[str]]
    _asked: bool

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self.reset()

    def update(self, observation: Groups) -> None:
        """Take the groups as they are now, in place of those seen before."""
        self._seen = {group: frozenset(topics) for group, topics in observation.items()}
        self._asked = True

    def verdict(self, now_ms: int) -> Verdict:
        """Of the groups seen last."""
        found = undeclared_consumers(self._lineage, self._seen)
        kind = self._kind(found)
        return Verdict(
            kind=kind,
            detector=self.name,
            statistic=math.inf if kind is VerdictKind.LOOP_DETECTED else 0.0,
            ticket=TICKET_FLOOR,
            page=PAGE_FLOOR,
            now_ms=now_ms,
            evidence={"undeclared_consumers": [consumer.to_json() for consumer in found]},
            reason="" if self._asked else "the broker's consumer groups were not looked at yet",
        )

    def state(self) -> State:
        """The groups seen last."""
        pairs = [
            f"{group}{_SEPARATOR}{topic}" for group, topics in self._seen.items() for topic in sorted(topics)
        ]
        return {"pairs": np.array(pairs, dtype=np.str_), "asked": np.array(self._asked)}

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`."""
        self.reset()
        for pair in state["pairs"].tolist():
            group, _, topic = pair.partition(_SEPARATOR)
            self._seen[group] = self._seen.get(group, frozenset()) | {topic}
        self._asked = bool(state["asked"])

    def reset(self) -> None:
        """Forget what was seen."""
        self._seen = {}
        self._asked = False

    def _kind(self, found: Iterable[UndeclaredConsumer]) -> VerdictKind:
        if not self._asked:
            return VerdictKind.WARMING_UP
        closing = [consumer.closes_loop for consumer in found]
        if True in closing:
            return VerdictKind.LOOP_DETECTED
        return VerdictKind.WARNING if None in closing else VerdictKind.QUIET
