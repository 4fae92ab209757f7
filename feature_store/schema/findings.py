"""`findings`: what detectors and monitors found, and what people said of it. JSON, keyed by subject."""

from collections.abc import Iterable
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
    detected_ms : when it was a loop for the first time, of the log; 0: it never was
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


def fold(known: FindingState | None, record: Record) -> FindingState | None:
    """The state after one more record; None where somebody speaks of what nobody found."""
    if isinstance(record, Finding):
        return _found(known or FindingState(record), record)
    if known is None:
        return None
    said = msgspec.structs.replace(record, verdict=record.verdict or known.finding.verdict)
    if not said.covers(known.finding):
        return known
    closed_ms = said.time_ms if said.closes else known.closed_time_ms
    return msgspec.structs.replace(known, acknowledgement=said, closed_time_ms=closed_ms)


def _found(known: FindingState, finding: Finding) -> FindingState:
    said = known.acknowledgement
    covered = said is not None and said.covers(finding)
    detected_ms = known.detected_ms or (finding.updated_time_ms if finding.verdict == "loop_detected" else 0)
    return FindingState(finding, said if covered else None, known.closed_time_ms, detected_ms)


def fold_all(records: Iterable[Record]) -> dict[str, FindingState]:
    """Finding id -> state, in the order in which they were found."""
    states: dict[str, FindingState] = {}
    for record in records:
        state = fold(states.get(record.finding_id), record)
        if state is not None:
            states[record.finding_id] = state
    return states
