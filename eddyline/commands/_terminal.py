"""What the stack's commands share at the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from eddyline.stack.addresses import Addresses
from eddyline.stack.detach import ERROR_PREFIX
from eddyline.stack.keeper import TaskFailedError
from eddyline.stack.parts import MissingPartError
from eddyline.stack.run import NotReadyError
from eddyline.stack.state import AlreadyRunningError, StateFolderError

_EXPECTED: tuple[type[Exception], ...] = (
    AlreadyRunningError,
    MissingPartError,
    NotReadyError,
    StateFolderError,
    TaskFailedError,
)


@contextmanager
def clear_errors(*also: type[Exception]) -> Iterator[None]:
    """Print what may go wrong with a stack, and ``also``, as one message without a trace, and exit with 1."""
    expected = (*_EXPECTED, *also)
    try:
        yield
    except expected as error:
        Console(stderr=True, soft_wrap=True).print(
            f"[red]{ERROR_PREFIX}[/]{escape(str(error))}", highlight=False
        )
        raise typer.Exit(1) from None


def print_addresses(console: Console, addresses: Addresses) -> None:
    """Where to look next."""
    shown = {
        "rank": f"{addresses.http}/v1/rank",
        "kafka": addresses.kafka,
        "redis": addresses.redis,
        "triton": addresses.triton_grpc or "none (embedded inference)",
        "prometheus": addresses.prometheus,
        "alertmanager": addresses.alertmanager,
    }
    for name, address in shown.items():
        console.print(f"  {name:<14} {address}", highlight=False)
