"""`eddyline loops status|explain|acknowledge`: what was found, why we believe it, and what was said of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from eddyline.commands.loops._deployment import clear_errors, find, settings_of_deployment
from eddyline.commands.loops._explanation import estimate, explanation, state_of

if TYPE_CHECKING:
    from eddyline.clients.loops import Measured
    from feature_store.schema.findings import FindingState

app = typer.Typer()

FindingId = Annotated[str, typer.Argument(help="Id of a finding, or how it begins.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def status(as_json: AsJson = False) -> None:
    """Findings, verdicts, and the experiments that detection rests on, with what they cost."""
    from eddyline.clients.loops import measured
    from feature_store.findings_log import read_findings
    from feature_store.online.switches import open_switches

    with clear_errors():
        settings, processes = settings_of_deployment()
        states = read_findings(settings)
        off = {name: switch.reason for name, switch in open_switches(settings).read().items()}
    samples = measured(processes)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "findings": [_plain(state) for state in states.values()],
                    "held": any(state.holds for state in states.values()),
                    "switched_off": off,
                    "measured": [
                        {"name": each.name, "labels": each.labels, "value": each.value} for each in samples
                    ],
                }
            )
        )
        return
    console = Console()
    _show_findings(console, states)
    _show_detectors(console, samples)
    _show_experiments(console, samples, off)


@app.command()
def explain(finding: FindingId, as_json: AsJson = False) -> None:
    """The evidence for one finding, what it means, and where its runbook is."""
    from feature_store.findings_log import read_findings

    with clear_errors():
        settings, _ = settings_of_deployment()
        state = find(read_findings(settings), finding)
    if as_json:
        typer.echo(json.dumps(_plain(state)))
        return
    console = Console()
    for line in explanation(state):
        console.print(escape(line), highlight=False, soft_wrap=True)
    console.print_json(json.dumps(state.finding.evidence))


@app.command()
def acknowledge(
    finding: FindingId,
    by: Annotated[str, typer.Option(help="Who has seen it.")],
    note: Annotated[str, typer.Option(help="What is being done about it, or was.")],
    close: Annotated[
        bool, typer.Option("--close", help="It is over: detectors begin anew, what was held goes on.")
    ] = False,
) -> None:
    """Say that somebody is at it: the page stops; with --close the matter is over."""
    from feature_store.clock import SystemClock
    from feature_store.findings_log import read_findings, write_acknowledgement
    from feature_store.schema.findings import Acknowledgement

    with clear_errors():
        settings, _ = settings_of_deployment()
        found = find(read_findings(settings), finding).finding
        said = Acknowledgement(
            finding_id=found.finding_id,
            subject=found.subject,
            by=by,
            note=note,
            closes=close,
            verdict=found.verdict,
            time_ms=SystemClock().now_ms(),
        )
        write_acknowledgement(settings, said)
    typer.echo(f"{found.finding_id} is {'closed' if close else 'acknowledged'}")


def _show_findings(console: Console, states: dict[str, FindingState]) -> None:
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
    if any(state.holds for state in states.values()):
        console.print(
            "[yellow]promotion and training are held[/] until it is closed: eddyline loops acknowledge"
        )


def _show_detectors(console: Console, samples: list[Measured]) -> None:
    from eddyline.clients.loops import judgements, labelled

    whole = (Column(name, no_wrap=True) for name in ("detector", "looks at", "verdict", "evidence"))
    table = Table(*whole, "why")
    for found in judgements(samples):
        evidence = f"10^{found.evidence_log10:.1f}"
        table.add_row(found.detector, escape(found.subject), found.verdict, evidence, escape(found.reason))
    if not table.rows:
        console.print("no detector has judged anything yet", highlight=False)
        return
    console.print(table)
    needed = labelled(samples, "eddyline_loop_threshold_log10", "severity")
    console.print(
        f"a ticket needs evidence of 10^{needed.get('ticket', 0.0):.1f}, "
        f"a page 10^{needed.get('page', 0.0):.1f}",
        highlight=False,
    )


def _show_experiments(console: Console, samples: list[Measured], off: dict[str, str]) -> None:
    from eddyline.clients.loops import labelled

    running = labelled(samples, "eddyline_ranker_experiment_running", "experiment")
    costs = labelled(samples, "eddyline_ranker_experiment_cost_ratio", "experiment")
    table = Table("experiment", "runs", "cost", "why not")
    for name in sorted({*running, *off}):
        cost = f"{costs[name]:.3%} of the expected value" if name in costs else "not measured yet"
        table.add_row(name, "yes" if running.get(name) and name not in off else "no", cost, off.get(name, ""))
    console.print(table if table.rows else "no experiments are asked for")


def _plain(state: FindingState) -> dict[str, object]:
    import msgspec

    plain: dict[str, object] = msgspec.to_builtins(state.finding)
    said = None if state.acknowledgement is None else msgspec.to_builtins(state.acknowledgement)
    return {**plain, "acknowledgement": said, "closed_time_ms": state.closed_time_ms, "holds": state.holds}
