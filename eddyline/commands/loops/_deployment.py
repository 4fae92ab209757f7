"""What the loop commands share: where the deployment is, and errors as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from feature_store.schema.findings import FindingState
    from feature_store.settings import Settings


def settings_of_deployment() -> Settings:
    """Of the stack in EDDYLINE_HOME, ready or not; where none runs as the environment says."""
    from eddyline.clients.stack_settings import of_the_stack
    from feature_store.settings import Settings

    return of_the_stack(Settings())


def findings_of(settings: Settings) -> dict[str, FindingState]:
    """Finding id -> state; a message that is none is named on standard error."""
    from eddyline.clients.kafka import require_broker
    from feature_store.findings_log import read_findings
    from feature_store.schema.topics import FINDINGS

    def refuse(offset: int, why: str) -> None:
        typer.echo(f"eddyline: message {offset} of {FINDINGS} is left out: {why}", err=True)

    require_broker(settings)
    return read_findings(settings, refuse)


def find(states: dict[str, FindingState], finding: str) -> FindingState:
    """The one whose id begins with ``finding``.

    Raises
    ------
    LookupError
        None does, or several do.
    """
    matching = [state for name, state in states.items() if name.startswith(finding)]
    if len(matching) != 1:
        known = ", ".join(states) or "none"
        raise LookupError(f"finding {finding!r}: {len(matching)} match; findings there: {known}")
    return matching[0]


@contextmanager
def clear_errors() -> Iterator[None]:
    """Print what may go wrong as one message, without a trace, and exit with 1."""
    from confluent_kafka import KafkaException

    from eddyline.commands import _terminal

    with _terminal.clear_errors(KafkaException, LookupError, OSError):
        yield
