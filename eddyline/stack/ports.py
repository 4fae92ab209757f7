"""Ports of a stack: chosen once, remembered in its state folder, so that they survive a restart.

A port is free until its part listens on it, so two stacks that start at the same time could both choose
it. Who chooses or remembers a port therefore holds a claim on it: a name that the kernel gives to one holder
at a time, and takes back when the holder's process ends, however it ends.
"""

import contextlib
import json
import random
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

LOWEST, HIGHEST = 15_000, 29_999
"""Below what systems lend to outgoing connections, which could take a remembered port."""


class Ports:
    """Ports by name; a name that is new gets a free port, which ``path`` remembers.

    Parameters
    ----------
    path : JSON file, name to port
    fixed : ports that the settings prescribe; 0 leaves the choice to us
    rng : source of the choice
    """

    def __init__(self, path: Path, fixed: Mapping[str, int], rng: random.Random) -> None:
        self._path = path
        self._fixed = {name: port for name, port in fixed.items() if port}
        self._rng = rng
        self._chosen: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        self._claims: dict[int, socket.socket] = {}

    def __getitem__(self, name: str) -> int:
        """The port of ``name``; raises `RuntimeError` if no free port is left."""
        if name in self._fixed:
            return self._fixed[name]
        if name not in self._chosen:
            self._chosen[name] = self._choose()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._chosen, indent=2))
        self._claim(self._chosen[name])
        return self._chosen[name]

    @property
    def known(self) -> dict[str, int]:
        """Every port that is prescribed or was chosen before, by name."""
        return {**self._chosen, **self._fixed}

    def _choose(self) -> int:
        taken = set(self.known.values())
        candidates = [port for port in range(LOWEST, HIGHEST + 1) if port not in taken]
        for port in self._rng.sample(candidates, len(candidates)):
            if is_free(port) and self._claim(port):
                return port
        raise RuntimeError(f"no free port between {LOWEST} and {HIGHEST}")

    def _claim(self, port: int) -> bool:
        """Whether the port is claimed by us, since now or before."""
        if port not in self._claims and (claim := _claim(port)) is not None:
            self._claims[port] = claim
        return port in self._claims


def is_free(port: int) -> bool:
    """Whether a server could bind ``port`` on the loopback address."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claim(port: int) -> socket.socket | None:
    """A hold on ``port`` that nobody else has, or None; others see it on Linux only."""
    claim = socket.socket(socket.AF_UNIX)
    if sys.platform == "linux":
        try:
            claim.bind(f"\0eddyline-port-{port}")
        except OSError:
            claim.close()
            return None
    return claim
