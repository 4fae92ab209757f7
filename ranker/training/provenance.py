"""Where a version comes from."""

import hashlib
import subprocess
from pathlib import Path

import torch

import ranker
from ranker.registry.models import Environment
from ranker.training.fit import Weights

_ROOT = Path(ranker.__file__).parents[1]


def git_commit() -> str | None:
    """Commit of the checkout that this code runs from; None outside one."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=_ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def environment(threads: int) -> Environment:
    """What, beside data and seed, decides over the last bits of weights made here."""
    lock = _ROOT / "requirements.lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None
    return Environment(torch.backends.cpu.get_cpu_capability(), threads, str(torch.__version__), digest)


def weights_digest(weights: Weights) -> str:
    """SHA-256 over the names, shapes and bytes of all tensors, in order of their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].contiguous().cpu()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
