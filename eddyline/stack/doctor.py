"""Whether this machine can run the stack: looked at before anything is started."""

import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from eddyline.stack.parts import MissingPartError, Parts
from eddyline.stack.ports import is_free
from eddyline.stack.settings import StackSettings
from eddyline.stack.state import read_state

_GB = 1e9
_MIN_OPEN_FILES = 4096


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Parameters
    ----------
    check : what was looked at
    good : whether the stack can run with it
    found : what was found, in words
    remedy : what to do about it; empty where nothing is to be done
    """

    check: str
    good: bool
    found: str
    remedy: str = ""


def examine(settings: StackSettings, ports: Mapping[str, int]) -> Iterator[Finding]:
    """All checks, in the order in which a person would look; ``ports`` are those that must be free."""
    parts = Parts(settings.parts)
    home = settings.home.resolve()
    yield _python()
    yield from _programs(parts, settings.inference == "triton")
    yield _disk(home, settings.disk_gb)
    yield _memory(settings.min_free_memory_gb)
    yield _open_files()
    yield from _ports(home, ports)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", (3, 11) <= sys.version_info[:2] < (3, 14), version, "use Python 3.11 to 3.13")


def _programs(parts: Parts, with_triton: bool) -> Iterator[Finding]:
    yield _version("java", lambda: [parts.java, "-version"], at_least=17)
    yield _folder("kafka broker", lambda: Path(parts.kafka_classpath.removesuffix("/*")))
    yield _version("redis-server", lambda: [parts.redis_server, "--version"], at_least=6)
    yield _version("prometheus", lambda: [parts.prometheus, "--version"], at_least=2)
    yield _version("alertmanager", lambda: [parts.alertmanager, "--version"], at_least=0)
    if with_triton:
        yield _folder("triton server", lambda: parts.triton_server)


def _version(check: str, argv: Callable[[], list[str]], *, at_least: int) -> Finding:
    try:
        said = subprocess.run(argv(), capture_output=True, text=True, timeout=20, check=False)
    except (MissingPartError, OSError) as error:
        return Finding(check, False, "missing", str(error))
    version = re.search(r"\d+\.\d+(\.\d+)?", said.stdout + said.stderr)
    if version is None:
        return Finding(check, False, "says no version", f"run `{' '.join(said.args)}`")
    good = int(version[0].split(".")[0]) >= at_least
    return Finding(check, good, version[0], f"install {check} {at_least} or newer")


def _folder(check: str, find: Callable[[], Path]) -> Finding:
    try:
        return Finding(check, True, str(find()))
    except MissingPartError as error:
        return Finding(check, False, "missing", str(error))


def _disk(home: Path, at_least_gb: float) -> Finding:
    """What the stack's logs and metrics hold already is not asked for again."""
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free_gb = shutil.disk_usage(there).free / _GB
    held_gb = sum(_size_bytes(home / part) for part in ("kafka", "prometheus")) / _GB
    good = free_gb + held_gb >= at_least_gb
    remedy = f"free {at_least_gb - held_gb:.1f} GB for {home}, or lower EDDYLINE_KAFKA_DISK_GB"
    return Finding("disk", good, f"{free_gb:.1f} GB free", remedy)


def _size_bytes(folder: Path) -> int:
    """Blocks, not lengths: Kafka makes its indexes ten times as long as they will be."""
    found = subprocess.run(["du", "-sk", str(folder)], capture_output=True, text=True, check=False).stdout
    return int(found.split()[0]) * 1024 if found else 0


def _memory(at_least_gb: float) -> Finding:
    free_gb = psutil.virtual_memory().available / _GB
    return Finding(
        "memory", free_gb >= at_least_gb, f"{free_gb:.1f} GB available", f"free {at_least_gb:.0f} GB"
    )


def _open_files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    good = soft == resource.RLIM_INFINITY or soft >= _MIN_OPEN_FILES
    return Finding("open files", good, str(soft), f"run `ulimit -n {_MIN_OPEN_FILES}` first")


def _ports(home: Path, ports: Mapping[str, int]) -> Iterator[Finding]:
    state = read_state(home)
    if state is not None and state.supervised:
        yield Finding("ports", True, "in use by this stack, which is running")
        return
    if not ports:
        yield Finding("ports", True, "free ones will be chosen at the first start")
    for name, port in ports.items():
        remedy = f"end what listens there, or remove {home / 'ports.json'} or set another port"
        free = is_free(port)
        yield Finding(f"port of {name}", free, f"{port} is {'free' if free else 'taken'}", remedy)
