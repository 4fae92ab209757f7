"""The command line: every module of `eddyline.commands` adds what its `app` holds."""

import sys

import typer
from pydantic import ValidationError

from eddyline import commands
from eddyline.commands._modules import add_modules


def build() -> typer.Typer:
    """The `eddyline` application with all its commands.

    A module `eddyline/commands/<name>.py` exposes ``app``, a `typer.Typer`: its commands and groups
    become those of `eddyline`. Heavy imports belong inside a command, so that `--help` stays quick.
    """
    root = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
        help="Streaming real-time ranking that says why, loses nothing, and notices feedback loops.",
    )
    add_modules(root, commands)
    return root


def main() -> None:
    """Entry point of the `eddyline` script; a setting that is wrong is named, without a trace."""
    try:
        build()()
    except ValidationError as error:
        if not error.title.endswith("Settings"):
            raise
        for problem in error.errors(include_input=False):
            typer.echo(f"eddyline: {_named(problem['loc'])}{problem['msg']}", err=True)
        sys.exit(2)


def _named(setting: tuple[int | str, ...]) -> str:
    """The setting that is wrong; "" where the message names several. No values: they may be secrets."""
    return f"EDDYLINE_{'_'.join(map(str, setting)).upper()}: " if setting else ""


if __name__ == "__main__":
    main()
