"""From a verdict to a finding."""

from dataclasses import replace
from math import isfinite, log
from sys import float_info

from feature_store.schema.findings import Beta, Finding
from feature_store.schema.ids import hash53
from streams.feedback.base import Estimate, Verdict, VerdictKind

RUNBOOKS = {
    VerdictKind.WARNING: "docs/runbooks/loop-suspected.md",
    VerdictKind.LOOP_DETECTED: "docs/runbooks/loop-detected.md",
}
"""What is found, and what to do about it; other verdicts are no findings."""

_LARGEST = log(float_info.max)
"""JSON has no infinities."""


def finding_id(detector: str, subject: str, started_epoch: int) -> str:
    """Of all that a detector finds of a subject between two starts."""
    return f"loop-{hash53(f'{detector}|{subject}|{started_epoch}'):014x}"


def finding_of(verdict: Verdict, subject: str, started_epoch: int, opened_ms: int) -> Finding | None:
    """The finding that a verdict is; None where it is none."""
    runbook = RUNBOOKS.get(verdict.kind)
    if runbook is None:
        return None
    paged = verdict.kind is VerdictKind.LOOP_DETECTED
    return Finding(
        finding_id=finding_id(verdict.detector, subject, started_epoch),
        detector=verdict.detector,
        subject=subject,
        verdict="loop_detected" if paged else "warning",
        statistic=min(verdict.statistic, _LARGEST),
        threshold=log(verdict.page if paged else verdict.ticket),
        beta=_bounded(verdict.beta),
        gain=_bounded(verdict.gain),
        evidence=dict(verdict.evidence),
        opened_time_ms=opened_ms,
        updated_time_ms=verdict.now_ms,
        runbook=runbook,
    )


def explained(verdict: Verdict, reason: str) -> Verdict:
    """``verdict``; where it sees nothing, with the ``reason`` that is known here, if there is one."""
    return replace(verdict, reason=reason) if verdict.reason and reason else verdict


def blinded(verdict: Verdict, reason: str) -> Verdict:
    """``blind`` for ``reason``, whatever ``verdict`` believes of what came before; an alarm stays."""
    if verdict.kind in RUNBOOKS:
        return verdict
    return replace(verdict, kind=VerdictKind.BLIND, reason=reason)


def _bounded(estimate: Estimate | None) -> Beta | None:
    if estimate is None:
        return None
    value, lower, upper = (
        number if isfinite(number) else None for number in (estimate.value, estimate.lower, estimate.upper)
    )
    return Beta(value, lower, upper)
