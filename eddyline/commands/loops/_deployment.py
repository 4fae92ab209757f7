"""What the loop commands share: where the deployment is, and errors as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from feature_store.schema.findings import FindingState
    from feature_store.settings import Settings


def settings_of_deployment() -> tuple[Settings, dict[str, str]]:
    """Of the stack in EDDYLINE_HOME, with its processes' metrics; else as the environment says, without."""
    from eddyline.clients.running import NoStack, running_stack
    from feature_store.settings import Settings

    settings = Settings()
    try:
        stack = running_stack(settings.home)
    except NoStack:
        return settings, {}
    return stack.settings, stack.addresses.metrics


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

    try:
        yield
    except (KafkaException, LookupError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]eddyline:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from None
