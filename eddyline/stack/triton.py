"""Triton on CPU, with the Python backend and this environment's interpreter and torch."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from eddyline.stack.parts import Parts
from eddyline.stack.probes import http_ok
from eddyline.stack.process import Process


def triton(
    parts: Parts,
    repository: Path,
    models: Callable[[], Sequence[str]],
    *,
    http_port: int,
    grpc_port: int,
    metrics_port: int,
    after: tuple[str, ...] = (),
) -> Process:
    """A Triton server that loads ``models()`` at each start, and later what it is asked to.

    What we write of a model is complete. Triton would start a second process of each to ask it for more.

    Parameters
    ----------
    repository : folder of the models; made if it is not there
    models : names to load, asked for anew at each start
    """
    repository.mkdir(parents=True, exist_ok=True)
    fixed = [
        str(parts.triton_server / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={parts.triton_server / 'backends'}",
        "--model-control-mode=explicit",
        "--exit-on-error=false",
        "--disable-auto-complete-config",
        "--http-address=127.0.0.1",
        f"--http-port={http_port}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={grpc_port}",
        "--metrics-address=127.0.0.1",
        f"--metrics-port={metrics_port}",
        f"--backend-config=python,shm-region-prefix-name=eddyline-{http_port}-",
    ]
    return Process(
        name="triton",
        argv=lambda: [*fixed, *(f"--load-model={model}" for model in models())],
        env=_environment(parts),
        ready=http_ok(f"http://127.0.0.1:{http_port}/v2/health/ready"),
        after=after,
        stop_grace_s=15.0,
    )


def _environment(parts: Parts) -> dict[str, str]:
    environment = Path(sys.prefix)
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(parts.triton_libraries),
        "VIRTUAL_ENV": str(environment),
        "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
