"""Where a version comes from."""

import subprocess
from pathlib import Path

import ranker


def git_commit() -> str | None:
    """Commit of the checkout that this code runs from; None outside one."""
    folder = Path(ranker.__file__).parent
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
