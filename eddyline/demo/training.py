"""Trains in a process of its own, as an operator would: `eddyline train`."""

import os
import subprocess
import sys
from pathlib import Path

from eddyline.clients.running import RunningStack

GATE = Path(__file__).with_name("gate.toml")
"""As shipped, but that calls of the model may take long."""


class TrainingFailed(RuntimeError):  # noqa: N818  (a state of the world)
    """`eddyline train` did not end well; the message has the end of what it printed."""


class Training:
    """One run of `eddyline train`.

    It begins at once to import and to connect, which takes longer than to learn.

    Parameters
    ----------
    stack : whose exposures to learn from, and whose model to replace
    after_requests : it waits for exposures of so many
    columns : width of what it prints
    log : file for what it prints
    """

    def __init__(self, stack: RunningStack, after_requests: int, columns: int, log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "eddyline.cli", "train"),
                    *("--gate", str(GATE), "--after-requests", str(after_requests)),
                ],
                env={
                    **os.environ,
                    **stack.addresses.environment(stack.settings.home),
                    "COLUMNS": str(columns),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # or it shares one turn at the processor with the demo
            )

    def done(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def output(self) -> str:
        """What it printed.

        Raises
        ------
        TrainingFailed
            When it exited with an error.
        """
        printed = self._log.read_text(errors="replace")
        if self._process.wait() != 0:
            raise TrainingFailed(f"`eddyline train` failed: {printed[-2000:].strip()}")
        return printed

    def stop(self) -> None:
        """End it if it still runs."""
        if not self.done():
            self._process.terminate()
            self._process.wait()
