"""Images: what each one installs is a part of the lock, and all that its processes import."""

import re
import subprocess
import sys
import tomllib

import pytest

from tests.unit.deploy.manifests import compose_containers, kubernetes_containers, runs_module
from tests.unit.deploy.names import DEPLOY, ROOT, main_of

IMAGES = DEPLOY / "images"
LOCKS = sorted((IMAGES / "locks").glob("*.txt"))
PIN = re.compile(r"^([a-z0-9-]+)==([^ ;\\]+)", re.MULTILINE)
HASH = re.compile(r"--hash=(\S+)")
RENEW = "deploy/images/lock.sh writes them anew"
IMPORT_WITH_ONLY = """
import importlib, re, sys
from importlib.metadata import packages_distributions

class Absent:
    def __init__(self, installed):
        self.names = {
            name for name, owners in packages_distributions().items()
            if not installed & {re.sub('[-_.]+', '-', owner).lower() for owner in owners}
        }
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in self.names:
            raise ModuleNotFoundError(f'{name} is not installed in this image', name=name)

sys.meta_path.insert(0, Absent({'eddyline', *sys.argv[1].split(',')}))
for module in sys.argv[2:]:
    importlib.import_module(module)
"""
"""Imports modules where only some distributions are installed."""


RUNS = sorted(
    {
        (container.image.removeprefix("eddyline/"), container.module)
        for container in [*compose_containers(), *kubernetes_containers()]
        if runs_module(container.image)
    }
)
"""(image, module) of all that is deployed."""
EXTRAS = sorted({extra for extra, _ in RUNS})


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name: str) -> set[str]:
    return {package for package, _ in PIN.findall((IMAGES / "locks" / f"{name}.txt").read_text())}


def extras() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {**project["optional-dependencies"], "": project["dependencies"]}


def required(extra: str) -> set[str]:
    """Names that an extra asks for, by way of the extras that it names too."""
    names: set[str] = set()
    for requirement in [*extras()[extra], *extras()[""]]:
        name, more = re.match(r"([A-Za-z0-9_.-]+)(?:\[([^]]*)\])?", requirement).groups()
        names |= set().union(*map(required, more.split(","))) if name == "eddyline" else {normalized(name)}
    return names


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_the_lock_of_an_image_is_a_part_of_the_lock_of_the_project(lock):
    whole = (ROOT / "requirements.lock").read_text()
    assert set(PIN.findall(lock.read_text())) <= set(PIN.findall(whole)), RENEW
    assert set(HASH.findall(lock.read_text())) <= set(HASH.findall(whole)), RENEW


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_image_locks_all_that_its_extra_asks_for(extra):
    assert required(extra) <= pins(extra), RENEW


def import_with_only(extra: str, modules: list[str]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", IMPORT_WITH_ONLY, ",".join(pins(extra)), *modules]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_image_installs_all_that_its_processes_import(extra):
    done = import_with_only(extra, [main_of(module) for image, module in RUNS if image == extra])
    assert done.returncode == 0, done.stderr[-1500:]


def test_an_image_without_a_library_cannot_import_what_needs_it():
    assert "is not installed in this image" in import_with_only("ingest", ["streams.apps.features"]).stderr


@pytest.mark.parametrize("name", ["Dockerfile", "triton.Dockerfile"])
def test_an_image_installs_by_hash_and_runs_as_nobody_special(name):
    text = (IMAGES / name).read_text()
    for install in re.findall(r"pip install (.*)", text):
        assert "--require-hashes" in install or "--no-index" in install
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", text, re.MULTILINE)
    assert not re.search(r"(?i)(password|secret|token)", text)


@pytest.mark.parametrize("name", ["Dockerfile", "triton.Dockerfile"])
def test_what_an_image_copies_is_there_and_not_ignored(name):
    let_through = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (IMAGES / name).read_text(), re.MULTILINE)
    paths = [path.replace("${PROCESS}", extra) for extra in EXTRAS for path in " ".join(copied).split()]
    for path in {*paths, *let_through} - {"."}:
        assert (ROOT / path).exists(), path
        assert any(path.startswith(prefix) for prefix in let_through), path


def test_an_image_keeps_its_lock_and_its_commit_where_provenance_looks_for_them():
    dockerfile = (IMAGES / "Dockerfile").read_text()
    assert "ARG COMMIT=" in dockerfile
    assert "cp locks/${PROCESS}.txt /opt/eddyline/requirements.lock" in dockerfile
    assert 'echo "${COMMIT}" > /opt/eddyline/commit' in dockerfile
    assert "python -m venv /opt/eddyline" in dockerfile  # the sys.prefix of what runs there
