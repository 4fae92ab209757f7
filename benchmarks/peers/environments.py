"""An environment for each peer, made from its lock on first use; Faust's is ours."""

import subprocess
import sys
import venv
from pathlib import Path

_FOLDER = Path(__file__).parent
_PARTS = _FOLDER.parents[1] / ".parts"


def python_of(kind: str) -> str:
    """The interpreter that has ``kind`` installed."""
    if kind == "faust":
        return sys.executable
    home = _PARTS / f"peer-{kind}"
    stamp, lock = home / "lock", _FOLDER / f"{kind}.lock"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        venv.create(home, clear=True, with_pip=True)
        subprocess.run(
            [home / "bin/python", "-m", "pip", "install", "-q", "--require-hashes", "-r", lock], check=True
        )
        stamp.write_bytes(lock.read_bytes())
    return str(home / "bin/python")
