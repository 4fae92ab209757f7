"""A finding in words."""

from __future__ import annotations

from datetime import UTC, datetime
from math import e, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feature_store.schema.findings import FindingState


def explanation(state: FindingState) -> tuple[str, ...]:
    """What was found, where, how large it is, how sure that is, and what was said of it; a line each."""
    found = state.finding
    feature, lag = found.evidence.get("value", "?"), found.evidence.get("lag_epochs", "?")
    said = state.acknowledgement
    return (
        f"{found.finding_id}: {found.verdict} on {found.subject}, {state_of(state)}",
        f"  evidence   10^{found.statistic * log10(e):.1f}, needed 10^{found.threshold * log10(e):.1f}:"
        " without a loop it ever gets there once in so many lives of a detector",
        f"  where      {feature}, most clearly {lag} epochs after the nudge,"
        f" seen by {found.evidence.get('found_by')}",
        f"  size       one unit of published score changes it by β = {beta_of(state)} in the next epoch,"
        " on average since the detectors began",
        f"  opened     {_time(found.opened_time_ms)}, last {_time(found.updated_time_ms)}",
        f"  runbook    {found.runbook}",
        *(() if said is None else (f"  said       {said.by}, {_time(said.time_ms)}: {said.note}",)),
    )


def state_of(state: FindingState) -> str:
    """Whether it is open, and who has seen it."""
    if not state.open:
        return "closed"
    return "open" if state.acknowledgement is None else f"acknowledged by {state.acknowledgement.by}"


def beta_of(state: FindingState) -> str:
    """β with its bounds."""
    beta = state.finding.beta
    if beta is None or beta.value is None:
        return "unknown"
    if beta.lower is None or beta.upper is None:
        return f"{beta.value:.3f}"
    return f"{beta.value:.3f} ({beta.lower:.3f} to {beta.upper:.3f})"


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
