"""What was said of one subject: a finding is written when it says something new, not in every epoch."""

from collections.abc import Iterable

import msgspec

from feature_store.schema.findings import Finding
from streams.feedback.base import Estimate, Verdict
from streams.feedback.production.verdicts import finding_id, finding_of


class Case(msgspec.Struct, frozen=True):
    """One detector on one subject, since it last began.

    Attributes
    ----------
    detector : as its verdicts name it
    started_epoch : in which the evidence begins
    opened_ms : log time of the first finding since; 0: there was none
    said : verdict of the last finding written; "" none
    gain_said : whether that one had a long-run gain that is certainly not 0: it is known later than the loop
    named : of several subjects those that findings named: one slice of users is certain later than another
    """

    detector: str
    subject: str
    started_epoch: int
    opened_ms: int = 0
    said: str = ""
    gain_said: bool = False
    named: tuple[str, ...] = ()

    @property
    def finding_id(self) -> str:
        """Of all that is found until it begins anew."""
        return finding_id(self.detector, self.subject, self.started_epoch)

    def anew(self, epoch: int) -> "Case":
        """The case that begins in ``epoch``."""
        return Case(self.detector, self.subject, epoch)

    def hear(self, verdict: Verdict) -> tuple["Case", list[Finding]]:
        """The case after ``verdict``, and what is new in it."""
        opened_ms = self.opened_ms or verdict.now_ms
        finding = finding_of(verdict, self.subject, self.started_epoch, opened_ms)
        gain_said = self.gain_said or _certain(verdict.gain)
        named = tuple(dict.fromkeys((*self.named, *_named(verdict))))
        news = (verdict.kind, gain_said, named)
        if finding is None or news == (self.said, self.gain_said, self.named):
            return self, []
        heard = msgspec.structs.replace(
            self, opened_ms=opened_ms, said=finding.verdict, gain_said=gain_said, named=named
        )
        return heard, [finding]


def _named(verdict: Verdict) -> Iterable[str]:
    """Of several subjects those that are believed to be part of it."""
    betas = verdict.evidence.get("betas", {})
    return betas if isinstance(betas, dict) else ()


def _certain(effect: Estimate | None) -> bool:
    return effect is not None and (effect.lower > 0 or effect.upper < 0)
