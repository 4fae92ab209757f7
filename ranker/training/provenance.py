"""Where a version comes from."""

import hashlib
import subprocess
import sys
from pathlib import Path

import torch

import ranker
from ranker.registry.models import Environment
from ranker.training.fit import Weights

_ROOT = Path(ranker.__file__).parents[1]
_BAKED = Path(sys.prefix)
"""Where an image, which is no checkout, keeps `commit` and `requirements.lock`: deploy/images/Dockerfile."""

_COMMIT = ("git", "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty")


def git_commit(checkout: Path = _ROOT, baked: Path = _BAKED) -> str | None:
    """Commit of the checkout that this code runs from, with ``-dirty`` if it was changed since.

    Outside a checkout what the image was built from; None where nobody said.
    """
    if (checkout / ".git").exists():
        try:
            found = subprocess.run(_COMMIT, cwd=checkout, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return found.stdout.strip()
    told = baked / "commit"
    return (told.read_text().strip() or None) if told.is_file() else None


def lock_digest(checkout: Path = _ROOT, baked: Path = _BAKED) -> str | None:
    """SHA-256 of the lock that this environment was installed by; None where there is none."""
    locks = (folder / "requirements.lock" for folder in (checkout, baked))
    found = next((lock for lock in locks if lock.is_file()), None)
    return hashlib.sha256(found.read_bytes()).hexdigest() if found else None


def environment(threads: int) -> Environment:
    """What, beside data and seed, decides over the last bits of weights made here."""
    cpu, version = torch.backends.cpu.get_cpu_capability(), str(torch.__version__)
    return Environment(cpu, threads, version, lock_digest())


def weights_digest(weights: Weights) -> str:
    """SHA-256 over the names, shapes and bytes of all tensors, in order of their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].contiguous().cpu()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
