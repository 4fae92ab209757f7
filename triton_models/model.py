"""Serves one version of a ranker in Triton's Python backend: the TorchScript module beside this file.

This file is copied into every version folder and imports nothing of Eddyline, so that a Triton image
needs only torch. Tensors travel by DLPack in both directions: with numpy 2 the backend's numpy
interface returns empty outputs, and on a GPU DLPack is the path without copies.

Source: https://github.com/triton-inference-server/python_backend
"""

import json
import warnings
from pathlib import Path
from typing import Any, cast

import torch
import torch.utils.dlpack

WARM_UP_CANDIDATES = (1, 24, 100, 500)
WARM_UP_CALLS = 3


class FingerprintMismatch(RuntimeError):  # noqa: N818  (a state of the world, named as in the design)
    """A model was made for another feature service than the one that is served."""

    def __init__(self, model: str, made_for: str, served: str) -> None:
        super().__init__(
            f"model {model} was made for feature fingerprint {made_for}, but {served} is served: "
            "train a version for the features in use, or serve the features it was made for"
        )


class Ranker:
    """A version folder, loaded, frozen and warmed up; runs on one thread.

    Parameters
    ----------
    folder : holds `model.pt` and `metadata.json`
    fingerprint : of the feature service in use

    Raises
    ------
    FingerprintMismatch
        The version was made for another feature service.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        metadata = json.loads((folder / "metadata.json").read_bytes())
        if metadata["fingerprint"] != fingerprint:
            name = f"{metadata['name']}/{metadata['version']}"
            raise FingerprintMismatch(name, metadata["fingerprint"], fingerprint)
        torch.set_num_threads(1)
        self.heads: tuple[str, ...] = tuple(metadata["heads"])
        self._module = _load(folder / "model.pt")
        self._warm_up(*(len(metadata[f"{part}_columns"]) for part in ("user", "candidate", "id")))

    def __call__(self, user: torch.Tensor, candidates: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Scores (heads, n) float32 of user (1, u), candidates (n, k) float32 and ids (n, m) int64."""
        with torch.inference_mode():
            return cast(torch.Tensor, self._module(user, candidates, ids)).t().contiguous()

    def _warm_up(self, user: int, candidate: int, ids: int) -> None:
        for n in WARM_UP_CANDIDATES * WARM_UP_CALLS:
            self(torch.zeros(1, user), torch.zeros(n, candidate), torch.zeros(n, ids, dtype=torch.int64))


def _load(path: Path) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch prefers torch.export, which needs its source
        module = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        return torch.jit.optimize_for_inference(torch.jit.freeze(module))


class TritonPythonModel:
    """The interface that Triton's Python backend calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the version; a version made for other features is refused here."""
        import triton_python_backend_utils as pb_utils  # exists only inside Triton

        self._pb_utils = pb_utils
        config = json.loads(args["model_config"])
        folder = Path(args["model_repository"]) / args["model_version"]
        self._ranker = Ranker(folder, config["parameters"]["fingerprint"]["string_value"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """One response per request, each with one output per head."""
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:
        scores = self._ranker(*(self._input(request, name) for name in ("user", "candidates", "ids")))
        tensor = self._pb_utils.Tensor.from_dlpack
        outputs = [tensor(head, scores[row]) for row, head in enumerate(self._ranker.heads)]
        return self._pb_utils.InferenceResponse(output_tensors=outputs)

    def _input(self, request: Any, name: str) -> torch.Tensor:
        tensor = self._pb_utils.get_input_tensor_by_name(request, name)
        return torch.utils.dlpack.from_dlpack(tensor.to_dlpack())
