"""What one family of detectors does with the logs: the same cut goes to each of them."""

from collections.abc import Sequence
from typing import Protocol

from feature_store.schema.findings import Finding
from feature_store.schema.panel import PanelRows
from streams.feedback.base import State
from streams.feedback.exposure_rows import ExposureRows


class Watch(Protocol):
    """Takes in one epoch's cut after the other. No clock, no randomness but what is seeded by the epoch.

    Attributes
    ----------
    name : of its part of the state
    """

    name: str

    def expose(self, rows: ExposureRows) -> None:
        """Take in exposures of the cut."""

    def close(self, epoch: int, panel: Sequence[PanelRows], now_ms: int) -> list[Finding]:
        """End the cut of ``epoch``; what has to be written because of it.

        Parameters
        ----------
        panel : messages of this epoch
        now_ms : log time of the cut
        """

    def settle(self, finding_id: str, epoch: int) -> None:
        """A finding was closed: if it is of this watch, forget its evidence and begin anew in ``epoch``."""

    def state(self) -> tuple[bytes, State]:
        """What is watched as JSON, and all arrays."""

    def restore(self, header: bytes, arrays: State) -> None:
        """Go on where the one that gave this state was.

        Raises
        ------
        ValueError
            It was none like this one.
        """


def below(state: State, prefix: str) -> State:
    """The part of ``state`` whose names begin with ``prefix``, without it."""
    return {path.removeprefix(prefix): value for path, value in state.items() if path.startswith(prefix)}


def under(prefix: str, state: State) -> State:
    """``state`` with ``prefix`` before its names."""
    return {f"{prefix}{path}": value for path, value in state.items()}
