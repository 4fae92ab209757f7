"""Findings, verdicts and experiments as tables: what `eddyline loops status` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Column, Table

from eddyline.clients.loops import judgements, labelled
from eddyline.commands.loops._explanation import estimate, state_of
from feature_store.online.switches import TRAINING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from eddyline.clients.measurements import Measurements
    from feature_store.schema.findings import FindingState


def show_status(
    console: Console, states: Mapping[str, FindingState], found: Measurements, off: Mapping[str, str]
) -> None:
    """Print all of it; of what is not measured here only that.

    Parameters
    ----------
    off : what is switched off -> why
    """
    _show_findings(console, states)
    _show_held(console, states, found, off)
    if found.missing:
        console.print(f"[yellow]{escape(found.missing)}[/]", highlight=False, soft_wrap=True)
    _show_detectors(console, found)
    _show_experiments(console, found, off)


def _show_findings(console: Console, states: Mapping[str, FindingState]) -> None:
    if not states:
        console.print("no findings")
        return
    whole = (Column(name, no_wrap=True) for name in ("finding", "of", "verdict"))
    table = Table(*whole, "where", "β", "state")
    for state in states.values():
        found = state.finding
        table.add_row(
            found.finding_id,
            found.subject,
            found.verdict,
            str(found.evidence.get("value", found.detector)),
            estimate(found.beta),
            state_of(state),
        )
    console.print(table)


def _show_held(
    console: Console, states: Mapping[str, FindingState], found: Measurements, off: Mapping[str, str]
) -> None:
    """What waits, and what for."""
    by_finding, by_hand = any(state.holds for state in states.values()), off.get(TRAINING)
    if by_finding:
        console.print(
            "[yellow]promotion and training are held[/] until it is closed: eddyline loops acknowledge"
        )
    if by_hand is not None:
        console.print(
            f"[yellow]promotion and training are stopped[/] by hand, {escape(by_hand)}: "
            "eddyline loops start training",
            highlight=False,
            soft_wrap=True,
        )
    waiting = (
        each.value for each in found.samples if each.name == "eddyline_ranker_experiment_deploy_waiting"
    )
    if any(waiting):
        held = ", which does not come while they are" if by_finding or by_hand is not None else ""
        console.print(f"a promoted version waits for its moment{held}", highlight=False)


def _show_detectors(console: Console, found: Measurements) -> None:
    whole = (Column(name, no_wrap=True) for name in ("detector", "looks at", "verdict", "evidence"))
    table = Table(*whole, "why")
    for each in judgements(found.samples):
        evidence = "" if each.evidence_log10 is None else f"10^{each.evidence_log10:.1f}"
        table.add_row(each.detector, escape(each.subject), each.verdict, evidence, escape(each.reason))
    if not table.rows:
        if not found.missing:
            console.print("no detector has judged anything yet", highlight=False)
        return
    console.print(table)
    needed = labelled(found.samples, "eddyline_loop_threshold_log10", "severity")
    console.print(
        f"a ticket needs evidence of 10^{needed.get('ticket', 0.0):.1f}, "
        f"a page 10^{needed.get('page', 0.0):.1f}",
        highlight=False,
    )


def _show_experiments(console: Console, found: Measurements, off: Mapping[str, str]) -> None:
    running = labelled(found.samples, "eddyline_ranker_experiment_running", "experiment")
    costs = labelled(found.samples, "eddyline_ranker_experiment_cost_ratio", "experiment")
    table = Table("experiment", "runs", "cost", "why not")
    for name in sorted({*running, *off} - {TRAINING}):
        cost = f"{costs[name]:.3%} of the expected value" if name in costs else "not measured yet"
        table.add_row(name, "yes" if running.get(name) and name not in off else "no", cost, off.get(name, ""))
    if table.rows:
        console.print(table)
    elif not found.missing:
        console.print("no experiments are asked for")
