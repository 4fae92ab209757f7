"""`eddyline loops status|explain|acknowledge`: what was found, why we believe it, and what was said of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from eddyline.commands.loops._deployment import clear_errors, find, findings_of, settings_of_deployment
from eddyline.commands.loops._explanation import explanation

if TYPE_CHECKING:
    from feature_store.schema.findings import FindingState

app = typer.Typer()

FindingId = Annotated[str, typer.Argument(help="Id of a finding, or how it begins.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def status(as_json: AsJson = False) -> None:
    """Findings, verdicts, and the experiments that detection rests on, with what they cost."""
    from eddyline.clients.measurements import measurements
    from eddyline.commands.loops._status import show_status
    from feature_store.online.switches import TRAINING, open_switches

    with clear_errors():
        settings = settings_of_deployment()
        states = findings_of(settings)
        off = {name: switch.reason for name, switch in open_switches(settings).read().items()}
    found = measurements(settings)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "findings": [_plain(state) for state in states.values()],
                    "held": TRAINING in off or any(state.holds for state in states.values()),
                    "switched_off": off,
                    "measured": [
                        {"name": each.name, "labels": each.labels, "value": each.value}
                        for each in found.samples
                    ],
                    "not_measured": found.missing,
                }
            )
        )
        return
    show_status(Console(), states, found, off)


@app.command()
def explain(finding: FindingId, as_json: AsJson = False) -> None:
    """The evidence for one finding, what it means, and where its runbook is."""
    with clear_errors():
        state = find(findings_of(settings_of_deployment()), finding)
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
    from feature_store.findings_log import write_record
    from feature_store.schema.findings import Acknowledgement

    with clear_errors():
        settings = settings_of_deployment()
        found = find(findings_of(settings), finding).finding
        said = Acknowledgement(
            finding_id=found.finding_id,
            subject=found.subject,
            by=by,
            note=note,
            closes=close,
            verdict=found.verdict,
            time_ms=SystemClock().now_ms(),
        )
        write_record(settings, said)
    typer.echo(f"{found.finding_id} is {'closed' if close else 'acknowledged'}")


def _plain(state: FindingState) -> dict[str, object]:
    import msgspec

    plain: dict[str, object] = msgspec.to_builtins(state.finding)
    said = None if state.acknowledgement is None else msgspec.to_builtins(state.acknowledgement)
    return {**plain, "acknowledgement": said, "closed_time_ms": state.closed_time_ms, "holds": state.holds}
