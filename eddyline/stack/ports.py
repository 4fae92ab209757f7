"""Ports of a stack: chosen once, remembered in its state folder, so that they survive a restart."""

import contextlib
import json
import random
import socket
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

    def __getitem__(self, name: str) -> int:
        """The port of ``name``; raises `RuntimeError` if no free port is left."""
        if name in self._fixed:
            return self._fixed[name]
        if name not in self._chosen:
            self._chosen[name] = self._choose()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._chosen, indent=2))
        return self._chosen[name]

    @property
    def known(self) -> dict[str, int]:
        """Every port that is prescribed or was chosen before, by name."""
        return {**self._chosen, **self._fixed}

    def _choose(self) -> int:
        taken = set(self.known.values())
        candidates = [port for port in range(LOWEST, HIGHEST + 1) if port not in taken]
        for port in self._rng.sample(candidates, len(candidates)):
            if is_free(port):
                return port
        raise RuntimeError(f"no free port between {LOWEST} and {HIGHEST}")


def is_free(port: int) -> bool:
    """Whether a server could bind ``port`` on the loopback address."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
