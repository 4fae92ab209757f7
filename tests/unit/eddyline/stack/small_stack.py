"""Runs a stack of two small processes in the foreground; its settings are EDDYLINE_*."""

import os
import random
import sys

from eddyline.stack.addresses import Addresses
from eddyline.stack.plan import Stack
from eddyline.stack.ports import Ports
from eddyline.stack.process import Process
from eddyline.stack.run import run_stack
from eddyline.stack.settings import StackSettings

PARENT = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "time.sleep(600)"
)


async def well() -> str | None:
    """A probe that is always content."""
    return None


def small_stack(settings: StackSettings) -> Stack:
    """One process with a child of its own, and one that starts after it."""
    addresses = Addresses("", "", None, None, "", "", "", "embedded", {})
    ports = Ports(settings.home / "ports.json", {}, random.Random())
    processes = [
        Process("parent", lambda: [sys.executable, "-c", PARENT], os.environ, well),
        Process(
            "other",
            lambda: [sys.executable, "-c", "import time; time.sleep(600)"],
            os.environ,
            well,
            ("parent",),
        ),
    ]
    return Stack(settings.home.resolve(), addresses, processes, ports["supervisor.metrics"])


if __name__ == "__main__":
    stack_settings = StackSettings()
    run_stack(stack_settings, lambda: small_stack(stack_settings), lambda _: None)
