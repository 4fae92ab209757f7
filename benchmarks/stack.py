"""A stack of real parts for a benchmark: started by the command line, in a folder of its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NO_WORKERS = {
    f"EDDYLINE_{kind}_WORKERS": "0" for kind in ("INGEST", "FEATURES", "JOIN", "RANKER", "PARITY", "LINEAGE")
}
EDDYLINE = str(Path(sys.executable).with_name("eddyline"))


@dataclass(frozen=True)
class RunningStack:
    """Addresses of a stack, its processes, and how long it took from `up` until it was ready."""

    home: Path
    status: dict[str, Any]
    startup_s: float

    def command(self, *words: str) -> str:
        """What `eddyline WORDS` prints of this stack."""
        return _command({**os.environ, "EDDYLINE_HOME": str(self.home)}, *words)

    @property
    def kafka(self) -> str:
        return str(self.status["kafka"])

    @property
    def http(self) -> str:
        return str(self.status["http"])

    @property
    def triton_grpc(self) -> str:
        return str(self.status["triton_grpc"])

    @property
    def redis(self) -> str:
        return str(self.status["redis"])


@contextmanager
def running_stack(**settings: str) -> Iterator[RunningStack]:
    """Start a stack with ``settings`` as environment variables; stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="eddyline-bench-") as folder:
        environment = {**os.environ, "EDDYLINE_HOME": folder, "EDDYLINE_LOG_LEVEL": "warning", **settings}
        begun = time.perf_counter()
        _command(environment, "up", "--detach")
        try:
            while not (status := json.loads(_command(environment, "status", "--json")))["ready"]:
                if time.perf_counter() - begun > 300:
                    raise RuntimeError(f"the stack is not ready after 300 s: {status}")
            yield RunningStack(Path(folder), status, time.perf_counter() - begun)
        finally:
            _command(environment, "down")


def worker(
    kind: str, views: Sequence[str], stack: RunningStack
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run one of our workers over ``views`` alone; killed at the end."""
    environment = {
        **os.environ,
        "EDDYLINE_HOME": str(stack.home),
        "EDDYLINE_KAFKA_BOOTSTRAP": stack.kafka,
        "EDDYLINE_REDIS_URL": stack.redis,
    }
    argv = [sys.executable, "-m", "benchmarks.workers", kind, *views]
    return running_process(argv, environment, stack.home / f"bench-{kind}.log")


@contextmanager
def running_process(
    argv: list[str], environment: dict[str, str], log: Path, folder: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``argv`` in ``folder``, with its output in ``log``; killed at the end."""
    with log.open("wb") as sink:
        process = subprocess.Popen(argv, env=environment, cwd=folder, stdout=sink, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _command(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run([EDDYLINE, *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"eddyline {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
