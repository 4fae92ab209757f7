"""`eddyline demo` as a newcomer sees it, from an empty folder to nothing left behind."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

EDDYLINE = str(Path(sys.executable).with_name("eddyline"))


def _of_home(home: Path) -> list[psutil.Process]:
    def belongs(process: psutil.Process) -> bool:
        try:
            return process.environ().get("EDDYLINE_HOME") == str(home)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    return [process for process in psutil.process_iter() if belongs(process)]


def test_the_demo_trains_swaps_without_a_failed_request_finds_a_loop_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    done = subprocess.run(
        [EDDYLINE, "demo"],
        env={**os.environ, "EDDYLINE_HOME": str(home), "COLUMNS": "160"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert re.search(r"^[\d,]+ requests, 0 failed; degraded: ", done.stdout, re.M), done.stdout[-4000:]
    for shown in ("a timeline before", "dead letters", "the same user after", "before and after", "openapi"):
        assert shown in done.stdout
    before, after = (
        float(ctr)
        for ctr in re.findall(r"^│ (?:counters|timeline_ranker) .*?│ (0\.\d+) +│", done.stdout, re.M)
    )
    assert after > before
    for shown in (
        "timeline_ranker, open",
        "alert EddylineLoopDetected (page)",
        "partner-popularity reads rank.served, open",
    ):
        assert shown in done.stdout, done.stdout[-4000:]
    assert "│ genre " in done.stdout
    assert not re.search(r"│ genre [0-9a-f]{10,} ", done.stdout), "genres go by their names"
    looks = re.findall(r"│ [+-]\d+ +│ (control|planted) │ (\w+) ", done.stdout)
    assert {verdict for when, verdict in looks if when == "control"} <= {"warming_up", "blind", "quiet"}
    assert looks[-1] == ("planted", "loop_detected")
    assert _of_home(home) == []
    assert [entry.name for entry in home.iterdir()] == ["logs"]
