"""Memory of a process is that of what it started, too."""

import subprocess
import sys

from benchmarks.footprint import resident_mib

HOLDS = "held = b'x' * (64 * 2**20); print('held', flush=True); input()"


def started_by_another(program: str) -> str:
    return f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}])"


def test_what_a_child_of_a_child_holds_is_counted():
    program = started_by_another(started_by_another(HOLDS))
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert resident_mib(process.pid) > 64
        process.communicate("\n")
