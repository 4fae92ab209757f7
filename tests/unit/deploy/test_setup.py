"""What `make setup` brings, of functions of its script with programs that a test chose."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SETUP = (ROOT / "deploy/local/setup.sh").read_text()
COMMON = ("bash", "dirname", "mkdir", "sed", "sort", "tr", "cat", "python3")
OURS = ("redis-server", "prometheus", "alertmanager", "mvn")


class Machine:
    """A machine with a few programs, where the script is in a clone."""

    def __init__(self, folder: Path) -> None:
        self._script = folder / "clone/deploy/local/setup.sh"
        self._script.parent.mkdir(parents=True)
        self._bin = folder / "bin"
        self._bin.mkdir()
        for name in COMMON:
            (self._bin / name).symlink_to(str(shutil.which(name)))
        self.have("id", "1000")
        python = folder / "clone/.venv/bin/python"
        python.parent.mkdir(parents=True)
        python.symlink_to(str(shutil.which("python3")))
        for name in OURS:
            self.have(name)

    def have(self, name: str, says: str = "") -> None:
        """Put a program on PATH that only says this."""
        (self._bin / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (self._bin / name).chmod(0o755)

    def run(self, function: str) -> subprocess.CompletedProcess[str]:
        """Call one function of the script."""
        self._script.write_text(re.sub(r"^main$", function, SETUP, flags=re.M))
        argv = ["bash", str(self._script)]
        return subprocess.run(argv, env={"PATH": str(self._bin)}, capture_output=True, text=True, check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_curl_and_kcat_are_brought_where_they_are_missing_and_only_there(machine):
    assert machine.run("missing_tools").stdout.split() == ["curl", "kcat"]
    machine.have("curl", "curl 8.5.0 (x86_64)")
    assert machine.run("missing_tools").stdout.split() == ["kcat"]
    machine.have("kcat")
    assert machine.run("missing_tools").stdout == ""


def test_on_debian_they_are_installed_and_named(machine):
    machine.have("id", "0")
    machine.have("apt-get")
    done = machine.run('keep_services_stopped() { :; }; logged() { echo "$*"; }; system_packages')
    assert "setup: system packages: installing curl kcat" in done.stdout
    assert "apt-get install -q -y --no-install-recommends curl kcat" in done.stdout


def test_elsewhere_one_is_told_what_they_are_for_and_goes_on(machine):
    done = machine.run("system_packages")
    assert (done.returncode, done.stderr) == (0, "")
    assert "without curl kcat: examples of README.md and `make test` need it" in done.stdout


@pytest.mark.parametrize(
    ("version", "old"), [("7.74.0", True), ("7.81.0", True), ("7.82.0", False), ("10.1.0", False)]
)
def test_a_curl_that_knows_no_json_is_named(machine, version, old):
    machine.have("curl", f"curl {version} (x86_64) libcurl/{version}")
    assert ("7.82 or newer" in machine.run("warn_of_old_curl").stdout) == old


def test_the_readme_asks_for_the_versions_of_python_that_setup_takes():
    (lowest, above) = re.search(r"\(3, (\d+)\) <= sys.version_info < \(3, (\d+)\)", SETUP).groups()
    assert f"with Python 3.{lowest} to 3.{int(above) - 1}:" in (ROOT / "README.md").read_text()
