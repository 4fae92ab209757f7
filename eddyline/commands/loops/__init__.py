"""`eddyline loops`: find feedback loops, and show how well they are found.

A module `eddyline/commands/loops/<name>.py` exposes ``app``, a `typer.Typer`, as those one level up do.
"""

import sys

import typer

from eddyline.commands._modules import add_modules

app = typer.Typer()
loops = typer.Typer(
    no_args_is_help=True, help="Find hidden feedback loops, and show how well they are found."
)
app.add_typer(loops, name="loops")
add_modules(loops, sys.modules[__name__])
