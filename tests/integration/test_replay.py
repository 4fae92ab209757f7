"""A log replayed through a whole stack, and what README and docs show, by the command line alone."""

import gzip
import json
import os
import random
import re
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from feature_store.exposure_log import read_exposures
from feature_store.settings import Settings
from tests.integration.patience import PATIENT_RANKER
from tests.unit.eddyline.replay.logs import as_lines, click, item, ranking

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
EDDYLINE = str(Path(sys.executable).with_name("eddyline"))
RANKLENS = ROOT.parent / "shared" / "data" / "ranklens" / "events.jsonl.gz"
ITEMS = [f"film-{number}" for number in range(6)]
RANKINGS = 40
CUT = 800


class Stack:
    """A running stack, and commands that work with it."""

    def __init__(self, home: Path) -> None:
        self._environment = {**os.environ, **PATIENT_RANKER, "EDDYLINE_HOME": str(home)}

    def run(self, *argv: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            env={**self._environment, **environment},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )

    def output(self, *argv: str, cwd: Path = ROOT, **environment: str) -> str:
        done = self.run(*argv, cwd=cwd, **environment)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def replay(self, path: Path, *options: str) -> dict[str, Any]:
        return json.loads(self.output(EDDYLINE, "replay", "ranklens", str(path), "--json", *options))

    def status(self) -> dict[str, Any]:
        return json.loads(self.output(EDDYLINE, "status", "--json"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    started = Stack(tmp_path_factory.mktemp("stack"))
    started.output(EDDYLINE, "up", "--detach")
    try:
        yield started
    finally:
        started.output(EDDYLINE, "down")


def _clicked(number: int) -> list[str]:
    """Each item is clicked at a pace of its own: rates that soon differ."""
    return [name for name, every in zip(ITEMS, (2, 3, 4, 6, 9, 14), strict=True) if number % every == 0]


def _log(path: Path) -> Path:
    events = [
        item(name, title=name, popularity=float(n), director=f"d{n % 2}") for n, name in enumerate(ITEMS)
    ]
    for number in range(RANKINGS):
        name, user, at = f"ranking-{number}", f"viewer-{number % 3}", number * 10
        shown = ITEMS[number % 6 :] + ITEMS[: number % 6]
        events.append(ranking(name, user, at, shown))
        events += [click(name, user, at + 5, clicked) for clicked in _clicked(number)]
    path.write_bytes(as_lines(events))
    return path


def test_rates_of_the_log_differ_where_answers_are_compared() -> None:
    clicks: Counter[str] = Counter()
    for number in range(RANKINGS):
        if number >= RANKINGS * 4 // 5:
            assert len({clicks[name] for name in ITEMS}) == len(ITEMS)
        clicks.update(_clicked(number))


def test_answers_of_the_counters_are_those_of_counting_in_the_log(stack: Stack, tmp_path: Path) -> None:
    report = stack.replay(_log(tmp_path / "events.jsonl"))
    counted, answered = report["quality"]["counted_in_the_log"], report["quality"]["answers_at_that_moment"]
    assert answered["ndcg_last_fifth"] == pytest.approx(counted["ndcg_last_fifth"], abs=1e-12)
    assert answered["rankings_last_fifth"] > 0
    paced, free = report["passes"]["answers_at_that_moment"], report["passes"]["free_running"]
    assert paced["requests"] == free["requests"] == RANKINGS
    assert paced["models"] == {"counters 1": RANKINGS}
    assert paced["degraded"] == {}
    assert (report["duplicates"], report["dead_letters"]) == (0, {})


def test_a_log_replayed_again_is_recognised_and_changes_no_count(stack: Stack, tmp_path: Path) -> None:
    path = _log(tmp_path / "events.jsonl")
    stack.replay(path, "--no-free-running", "--namespace", "twice.")
    with httpx.Client(base_url=stack.status()["http"], timeout=30) as client:
        before = client.get("/v1/features/item/twice.film-0").json()["features"]
        again = stack.replay(path, "--no-free-running", "--namespace", "twice.")
        after = client.get("/v1/features/item/twice.film-0").json()["features"]
    assert again["duplicates"] == again["passes"]["answers_at_that_moment"]["events"]
    assert before["impression_count_total"] == after["impression_count_total"] == RANKINGS


def test_a_file_that_is_no_log_is_refused_by_its_line(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event":"session"}\n')
    done = stack.run(EDDYLINE, "replay", "ranklens", str(path))
    assert done.returncode == 1
    assert "line 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_stack_a_replay_says_how_to_start_one(tmp_path: Path) -> None:
    nobody = Stack(tmp_path)
    done = nobody.run(EDDYLINE, "replay", "ranklens", str(_log(tmp_path / "events.jsonl")))
    assert done.returncode == 1
    assert "eddyline up --detach" in done.stderr


needs_ranklens = pytest.mark.skipif(
    not RANKLENS.exists(), reason="needs the RankLens events in ../shared/data/ranklens"
)


@needs_ranklens
def test_real_choices_are_ranked_better_than_they_were_displayed(stack: Stack, tmp_path: Path) -> None:
    """The first rankings of RankLens, from a cold start; all of them are a campaign."""
    path, rankings = tmp_path / "beginning.jsonl", 0
    with gzip.open(RANKLENS, "rb") as whole, path.open("wb") as beginning:
        for line in whole:
            rankings += b'"event":"ranking"' in line.replace(b" ", b"")
            if rankings > CUT:
                break
            beginning.write(line)
    report = stack.replay(path, "--no-free-running", "--namespace", "beginning.")
    quality = report["quality"]
    assert report["passes"]["answers_at_that_moment"]["requests"] == CUT
    answered = quality["answers_at_that_moment"]["ndcg_all"]
    assert answered > quality["displayed"]["ndcg_all"] + 0.05
    assert answered == pytest.approx(quality["counted_in_the_log"]["ndcg_all"], abs=0.01)
    assert (report["duplicates"], report["dead_letters"]) == (0, {})


@pytest.mark.campaign
@needs_ranklens
def test_counters_rank_ranklens_as_well_as_counting_in_the_file(stack: Stack) -> None:
    report = stack.replay(RANKLENS, "--no-free-running", "--namespace", "whole.")
    answered = report["quality"]["answers_at_that_moment"]
    assert answered["ndcg_all"] >= 0.57
    assert answered["ndcg_last_fifth"] >= 0.605
    assert (report["duplicates"], report["dead_letters"]) == (0, {})


def _readme_examples() -> list[tuple[str, str]]:
    """(language, code) of the blocks that talk to a running stack, in order."""
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    return [(language, code) for language, code in blocks if re.search(r"HTTP|KAFKA", code)]


def test_the_examples_of_the_readme_work(stack: Stack) -> None:
    examples = _readme_examples()
    assert [language for language, _ in examples] == ["sh", "sh", "python", "sh", "sh", "python", "sh", "sh"]
    addresses, *rest = examples
    for language, code in rest:
        shell = f"set -eu\n{addresses[1]}export HTTP KAFKA\n"
        script = (
            f"{shell}\"{sys.executable}\" - <<'PROGRAM'\n{code}PROGRAM\n"
            if language == "python"
            else shell + code
        )
        printed = stack.output("bash", "-c", script)
        if "kcat -C" in code:
            assert "readme-r2" in printed
        if "readme-r" in code:
            assert "film-1" in printed and "film-2" in printed
    _wait_for_ann(stack.status()["http"])


def _wait_for_ann(http: str) -> None:
    deadline = time.monotonic() + 60
    counts: tuple[float, float] = (0.0, 0.0)
    while counts != (2.0, 1.0):
        assert time.monotonic() < deadline, counts
        features = httpx.get(f"{http}/v1/features/user/ann", timeout=30).json()["features"]
        counts = (features["impression_count_total"], features["click_count_total"])
        time.sleep(0.1)


TASTES = ("drama", "comedy", "horror", "western")
SHOWN, WATCHED = 8, 200


def _log_of_tastes(path: Path) -> None:
    """Each viewer loves one genre and clicks little else: something that a model can learn."""
    rng = random.Random(1)
    genres = {f"film-{n}": TASTES[n % len(TASTES)] for n in range(40)}
    events = [item(film, title=film, popularity=1.0, genres=[genre]) for film, genre in genres.items()]
    for number in range(WATCHED):
        name, viewer, at = f"evening-{number}", number % 12, number * 60
        shown = rng.sample(sorted(genres), SHOWN)
        events.append(ranking(name, f"viewer-{viewer}", at, shown))
        loved = TASTES[viewer % len(TASTES)]
        clicked = [film for film in shown if rng.random() < (0.8 if genres[film] == loved else 0.03)]
        events += [click(name, f"viewer-{viewer}", at + 5, film) for film in clicked]
    path.write_bytes(gzip.compress(as_lines(events)))


def _walk_through(page: str) -> list[str]:
    """The commands of a page's walk-through, block by block."""
    text = (ROOT / "docs" / page).read_text()
    (section,) = re.findall(r"^## Walk through it\n(.*?)^## ", text, re.M | re.S)
    return [textwrap.dedent(code) for code in re.findall(r"^ *```sh\n(.*?)^ *```", section, re.M | re.S)]


class Terminal:
    """Where somebody follows a page: a folder, and what was exported before."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        commands = f"{Path(EDDYLINE).parent}:{os.environ['PATH']}"
        self._exported = {"PATH": commands, "COLUMNS": "160"}

    def type(self, *blocks: str) -> str:
        """Run commands; what they printed."""
        return self._stack.output(
            "bash", "-c", "\n".join(("set -eu", *blocks)), cwd=self._folder, **self._exported
        )

    def export(self, **variables: str) -> None:
        self._exported |= variables


@pytest.mark.campaign
def test_a_new_feature_comes_to_be_served_learned_from_promoted_and_rolled_back(
    stack: Stack, tmp_path: Path
) -> None:
    _log_of_tastes(tmp_path / "events.jsonl.gz")
    terminal = Terminal(stack, tmp_path)
    printed = terminal.type(*_walk_through("features.md"))
    (fingerprint,) = re.findall(r"service timeline_v1: 65 columns, fingerprint (\w+)", printed)
    assert printed.count("│ new model ") == 2
    assert "item: caught up" in printed
    assert f"features timeline_v1 {fingerprint}" in printed
    assert "rows expire in 86400 s" in printed

    terminal.export(EDDYLINE_DEFINITIONS="my-definitions")
    played, trained, promoted, rolled_back = _walk_through("models.md")
    terminal.type(played)
    _wait_for_exposures(stack.status()["kafka"], fingerprint, WATCHED * SHOWN)
    assert "timeline_ranker/1 is loaded" in terminal.type(trained)
    assert "timeline_ranker/1 is the champion now" in terminal.type(promoted)
    _wait_for_model(stack.status()["http"], "timeline_ranker")
    assert "is the champion again" in terminal.type(rolled_back)
    _wait_for_model(stack.status()["http"], "counters")


def _wait_for_exposures(kafka: str, fingerprint: str, rows: int) -> None:
    deadline, found = time.monotonic() + 120, 0
    while found < rows:
        assert time.monotonic() < deadline, found
        exposures = read_exposures(Settings(kafka_bootstrap=kafka)).exposures
        found = exposures["fingerprint"].to_pylist().count(fingerprint)
        time.sleep(0.5)


def _wait_for_model(http: str, name: str) -> None:
    deadline = time.monotonic() + 60
    request = {"request_id": "walk-through", "user_id": "somebody", "candidates": ["film-1"]}
    while (model := httpx.post(f"{http}/v1/rank", json=request, timeout=30).json()["model"])["name"] != name:
        assert time.monotonic() < deadline, model
        time.sleep(0.1)
