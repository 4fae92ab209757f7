"""A finding in words."""

from __future__ import annotations

from datetime import UTC, datetime
from math import e, log10
from typing import TYPE_CHECKING, Any

from streams.feedback.base import LINEAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feature_store.schema.findings import Beta, Finding, FindingState


def explanation(state: FindingState) -> tuple[str, ...]:
    """What was found, where, how large it is, how sure that is, and what was said of it; a line each."""
    found, said = state.finding, state.acknowledgement
    return (
        f"{found.finding_id}: {found.verdict} on {found.subject}, {state_of(state)}",
        *_what_was_seen(found),
        f"  opened     {_time(found.opened_time_ms)}, last {_time(found.updated_time_ms)}",
        f"  runbook    {found.runbook}",
        *(() if said is None else (f"  said       {said.by}, {_time(said.time_ms)}: {said.note}",)),
    )


def _what_was_seen(found: Finding) -> tuple[str, ...]:
    if found.detector == LINEAGE:
        return _of_lineage(found.evidence)
    return (
        f"  evidence   10^{found.statistic * log10(e):.1f}, needed 10^{found.threshold * log10(e):.1f}:"
        " without a loop it ever gets there once in so many lives of a detector",
        *(_of_scores(found) if "found_by" in found.evidence else _of_an_experiment(found)),
    )


def _of_lineage(evidence: Mapping[str, Any]) -> tuple[str, ...]:
    """Who reads undeclared, or which declared loop nobody allowed: no chance is in it."""
    if "group" not in evidence:
        return (f"  where      {evidence.get('loop', 'eddyline lineage lists them')}: {evidence['value']}",)
    writes = ", ".join(evidence["writes"]) or "nobody declared"
    return (
        f"  evidence   certain: the broker lists group {evidence['group']}, and no declaration lets it read"
        f" {evidence['topic']}",
        f"  where      {evidence['topic']} carries what {', '.join(evidence['models'])} decided; what the"
        f" group writes: {writes}",
    )


def _of_scores(found: Finding) -> tuple[str, ...]:
    """Where scores answer to nudges, and how much."""
    feature, lag = found.evidence.get("value", "?"), found.evidence.get("lag_epochs", "?")
    others = found.evidence.get("others", {})
    return (
        f"  where      {feature}, most clearly {lag} epochs after the nudge,"
        f" seen by {found.evidence.get('found_by')}",
        *_of_slices(found.evidence),
        *(
            f"             {other['value']} seen by {name}, evidence 10^{other['statistic'] * log10(e):.1f}"
            for name, other in others.items()
            if other["value"]
        ),
        f"  size       one unit of published score adds β = {estimate(found.beta)} in that epoch,",
        f"             and over all later epochs together G = {estimate(found.gain)};"
        " means since the detectors began",
        *_of_large_nudges(found.evidence),
    )


def _of_large_nudges(evidence: Mapping[str, Any]) -> tuple[str, ...]:
    """That sizes are understated, where they are."""
    if not evidence.get("nudges_large"):
        return ()
    size = f"{evidence['nudge_share']:.2f} standard deviations of the scores"
    return (f"             nudges are large, {size}: small ones add more per unit",)


def _of_slices(evidence: Mapping[str, Any]) -> tuple[str, ...]:
    """Which slices of users are part of it, where they are told apart."""
    betas = evidence.get("betas")
    if betas is None:
        return ()
    if not betas:
        return (f"  slices     none is certain yet; most evidence is in {evidence.get('subject')}",)
    others = [name for name in evidence.get("epochs_used", {}) if name not in betas]
    named = [f"{name}, β {'unknown' if beta is None else f'{beta:.3f}'}" for name, beta in betas.items()]
    seen_in = [*named, *([f"not seen in {', '.join(others)}"] if others else [])]
    return tuple(f"{'' if n else '  slices':<13}{line}" for n, line in enumerate(seen_in))


def _of_an_experiment(found: Finding) -> tuple[str, ...]:
    """What the other detectors measure, each in its own unit."""
    size = () if found.beta is None else (f"  size       {estimate(found.beta)}",)
    where = (
        *_of_deploys(found.evidence),
        *_between_models(found.evidence),
        *_of_large_nudges(found.evidence),
    )
    return (f"  seen by    {found.detector}", *where, *size)


def _of_deploys(evidence: Mapping[str, Any]) -> tuple[str, ...]:
    """Which deploys were seen, where the evidence is of deploys."""
    if "retrains" not in evidence:
        return ()
    return (
        f"  where      {evidence['retrains']} deploys, of which {evidence['not_followed']} did not follow"
        f" their draw; the last was {evidence['last_deployed'] or 'unknown'}",
    )


def _between_models(evidence: Mapping[str, Any]) -> tuple[str, ...]:
    """Which models answer to each other, where the evidence is of several."""
    edges = evidence.get("edges", ())
    if not edges:
        return ()
    round_trip = "they close a cycle" if evidence["cycle"] else "they close no cycle"
    return (
        f"  where      scores of one model answer to nudges of another; {round_trip}:",
        *(f"             {edge['from']} -> {edge['to']}, β {edge['beta']:.3f}" for edge in edges),
    )


def state_of(state: FindingState) -> str:
    """Whether it is open, and who has seen it."""
    if not state.open:
        return "closed"
    return "open" if state.acknowledgement is None else f"acknowledged by {state.acknowledgement.by}"


def estimate(found: Beta | None) -> str:
    """A size with its bounds."""
    if found is None or found.value is None:
        return "unknown"
    if found.lower is None or found.upper is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.lower:.3f} to {found.upper:.3f})"


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
