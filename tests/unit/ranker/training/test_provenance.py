"""A version knows its commit and its lock, in a checkout and in an image that has none."""

import hashlib
import subprocess
from pathlib import Path

from ranker.training.provenance import git_commit, lock_digest


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_checkout_tells_its_commit_and_whether_it_was_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    code = tmp_path / "code.py"
    code.write_text("1")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_commit(tmp_path, tmp_path) == commit
    code.write_text("2")
    assert git_commit(tmp_path, tmp_path) == f"{commit}-dirty"


def test_an_image_tells_what_it_was_built_from(tmp_path: Path) -> None:
    code, baked = tmp_path / "site-packages", tmp_path / "image"
    code.mkdir()
    baked.mkdir()
    assert (git_commit(code, baked), lock_digest(code, baked)) == (None, None)
    (baked / "commit").write_text("\n")
    assert git_commit(code, baked) is None
    (baked / "commit").write_text("abc-dirty\n")
    (baked / "requirements.lock").write_text("torch==1")
    assert git_commit(code, baked) == "abc-dirty"
    assert lock_digest(code, baked) == hashlib.sha256(b"torch==1").hexdigest()
