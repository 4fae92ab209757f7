"""`findings`: what detectors and monitors found, and what people said of it. JSON, keyed by subject."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Words = Annotated[str, Meta(min_length=1, max_length=1_000)]
Found = Literal["warning", "loop_detected"]


class Beta(msgspec.Struct, frozen=True):
    """An effect and its confidence sequence; null bounds are infinite."""

    value: float | None
    lower: float | None
    upper: float | None


class Finding(msgspec.Struct, frozen=True, kw_only=True, tag="finding"):
    """Something found; written again, under the same id, when there is news, and each day while it is open.

    Attributes
    ----------
    finding_id : the same for all that one detector finds of one subject between two starts
    subject : model, topic or feature that it is about
    statistic, threshold : natural logarithms of W and of what it is held against
    gain : what the nudge does over all later epochs together, where that is estimated
    evidence : feature, lag, slices, epochs: whatever the detector localised
    opened_time_ms, updated_time_ms : of the log, ms UTC
    detected_time_ms : when the log took that it is a loop, for whoever reads this when that record is gone;
        0: this is that record, or it is no loop
    runbook : path in the repository
    """

    finding_id: str
    detector: str
    subject: str
    verdict: Found
    statistic: float
    threshold: float
    beta: Beta | None = None
    gain: Beta | None = None
    evidence: dict[str, Any] = {}
    opened_time_ms: int
    updated_time_ms: int
    detected_time_ms: int = 0
    runbook: str


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, tag="acknowledgement"):
    """What somebody said of a finding.

    Attributes
    ----------
    closes : whether the matter is over: the detector starts anew, and what was held may go on
    verdict : of the finding that was spoken of; None: the one known when this came
    """

    finding_id: str
    subject: str
    by: Words
    note: Words
    closes: bool
    verdict: Found | None = None
    time_ms: int

    def covers(self, finding: Finding) -> bool:
        """Whether it holds of ``finding``: who has a warning does not have the loop that it becomes."""
        return self.closes or finding.verdict == "warning" or self.verdict == "loop_detected"


Record = Finding | Acknowledgement

encode_record = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def decode_record(payload: bytes) -> Record:
    """One message.

    Raises
    ------
    msgspec.ValidationError, msgspec.DecodeError
        It is none.
    """
    return _decoder.decode(payload)


class FindingState(msgspec.Struct, frozen=True):
    """A finding with what was said of it last.

    Attributes
    ----------
    closed_time_ms : None while it is open
    detected_ms : when the log took that it is a loop, ms UTC; 0: it never was
    """

    finding: Finding
    acknowledgement: Acknowledgement | None = None
    closed_time_ms: int | None = None
    detected_ms: int = 0

    @property
    def open(self) -> bool:
        """Whether it is not over."""
        return self.closed_time_ms is None

    @property
    def holds(self) -> bool:
        """Whether promotion and training wait for it."""
        return self.open and self.finding.verdict == "loop_detected"

    def again(self, now_ms: int | None = None) -> Iterator[Record]:
        """What says the same when all before it is gone; ``now_ms``: as of then, ms UTC."""
        updated_ms = self.finding.updated_time_ms if now_ms is None else now_ms
        yield msgspec.structs.replace(
            self.finding, updated_time_ms=updated_ms, detected_time_ms=self.detected_ms
        )
        if self.acknowledgement is not None:
            yield self.acknowledgement


def fold(known: FindingState | None, record: Record, logged_ms: int) -> FindingState | None:
    """The state after one more record; None where somebody speaks of what nobody found.

    Parameters
    ----------
    logged_ms : when the log took the record, ms UTC
    """
    if isinstance(record, Finding):
        return _found(known or FindingState(record), record, logged_ms)
    if known is None:
        return None
    said = msgspec.structs.replace(record, verdict=record.verdict or known.finding.verdict)
    if not said.covers(known.finding):
        return known
    closed_ms = said.time_ms if said.closes else known.closed_time_ms
    return msgspec.structs.replace(known, acknowledgement=said, closed_time_ms=closed_ms)


def _found(known: FindingState, finding: Finding, logged_ms: int) -> FindingState:
    said = known.acknowledgement
    covered = said is not None and said.covers(finding)
    since_ms = finding.detected_time_ms or logged_ms
    detected_ms = known.detected_ms or (since_ms if finding.verdict == "loop_detected" else 0)
    return FindingState(finding, said if covered else None, known.closed_time_ms, detected_ms)


def fold_all(records: Iterable[tuple[int, Record]]) -> dict[str, FindingState]:
    """Finding id -> state, in the order in which they were found; ``records`` with the times of the log."""
    states: dict[str, FindingState] = {}
    for logged_ms, record in records:
        state = fold(states.get(record.finding_id), record, logged_ms)
        if state is not None:
            states[record.finding_id] = state
    return states
