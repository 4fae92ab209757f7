"""A detector and the case that it makes of one subject."""

from typing import Protocol

from feature_store.schema.findings import Finding
from streams.feedback.base import Verdict
from streams.feedback.production.case import Case


class Forgetful(Protocol):
    """A detector that can begin anew."""

    name: str

    def reset(self) -> None:
        """Forget everything: evidence, history, alarms."""


class Pursuit:
    """Follows one subject until its case is closed, and then from the beginning.

    Attributes
    ----------
    case : None before the first verdict
    """

    def __init__(self, detector: Forgetful, subject: str) -> None:
        self._detector = detector
        self._subject = subject
        self.case: Case | None = None

    def hear(self, verdict: Verdict, epoch: int) -> list[Finding]:
        """What is new in ``verdict``; the first one opens the case in ``epoch``."""
        case = self.case or Case(self._detector.name, self._subject, epoch)
        self.case, findings = case.hear(verdict)
        return findings

    def settle(self, finding_id: str, epoch: int) -> bool:
        """Begin anew in ``epoch`` where the finding is of this case; whether it is."""
        if self.case is None or self.case.finding_id != finding_id:
            return False
        self._detector.reset()
        self.case = self.case.anew(epoch)
        return True
