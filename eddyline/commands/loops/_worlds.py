"""Worlds of LoopBench as they are named on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def chosen_worlds(named: Sequence[str], known: Collection[str]) -> list[str]:
    """Each of ``named`` once, in their order.

    Raises
    ------
    typer.BadParameter
        One is not among ``known``.
    """
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: not among {', '.join(known)}", param_hint="--world")
    return list(dict.fromkeys(named))
