"""`eddyline features`: what is declared, what it costs, what it says of an entity.

A module `eddyline/commands/features/<name>.py` exposes ``app``, a `typer.Typer`, as those one level up do.
"""

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from eddyline.commands._modules import add_modules


class _ShowByDefault(TyperGroup):
    """`eddyline features item film-1` is `eddyline features show item film-1`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if self.get_command(ctx, args[0]) else ["show", *args])


app = typer.Typer()
features = typer.Typer(
    cls=_ShowByDefault,
    no_args_is_help=True,
    help="Features: what is declared, what it costs, what it says of an entity.",
)
app.add_typer(features, name="features")
add_modules(features, sys.modules[__name__])
