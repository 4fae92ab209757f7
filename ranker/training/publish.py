"""From a net to the model that serves: register, load, verify, point the champion to it, tidy up."""

from dataclasses import dataclass

import numpy as np

from ranker.registry.hold import Held, never_held
from ranker.registry.models import ModelId, ModelMetadata, RegistryError
from ranker.registry.registry import ModelRegistry
from ranker.registry.servers import write_server
from ranker.registry.training_data import TrainingData
from ranker.training.errors import TrainingError
from ranker.training.rows import Rows
from ranker.triton.base import InferenceClient, Scores
from triton_models.signature import Signature

VERSIONS_KEPT = 2
"""Newest versions that are not set aside, besides those that an alias points to."""

VERIFY_TIMEOUT_MS = 5_000.0
TOLERANCE = 1e-4
"""Largest difference between a head in training and in serving."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Where new versions go.

    Attributes
    ----------
    registry, inference, training_data : of the deployment
    signature : of the feature service in use
    held : why nothing is to be promoted now
    """

    registry: ModelRegistry
    inference: InferenceClient
    signature: Signature
    training_data: TrainingData
    held: Held = never_held

    def publish(self, metadata: ModelMetadata, files: dict[str, bytes]) -> ModelMetadata:
        """Register the version and have it loaded beside those that serve.

        Raises
        ------
        InferenceError
            It does not load; it is set aside.
        """
        registered = self.registry.register(metadata, files)
        write_server(self.registry.folders, registered.name, self.signature)
        try:
            self.inference.prepare(registered.name, registered.version)
        except RuntimeError:
            self.registry.folders.retire(registered.id)
            raise
        return registered

    def verify(self, model: ModelMetadata, rows: Rows, expected: Scores) -> None:
        """Hold the answers of the loaded version against the trained net's, on one request.

        Raises
        ------
        TrainingError
            They differ by more than :data:`TOLERANCE`.
        """
        user = len(self.signature.user)
        answered = self.inference.infer(
            model.name,
            model.version,
            np.ascontiguousarray(rows.dense[:1, :user]),
            np.ascontiguousarray(rows.dense[:, user:]),
            rows.ids,
            VERIFY_TIMEOUT_MS,
        )
        for head, scores in expected.items():
            difference = float(np.abs(answered[head] - scores).max())
            if not difference <= TOLERANCE:
                raise TrainingError(
                    f"model {model.id} serves {head} {difference:g} away from what was trained"
                )

    def tidy(self, name: str) -> tuple[ModelId, ...]:
        """Set aside versions older than the last two that no alias points to; returns them."""
        kept = {*self.registry.aliased(), *self._newest(name)}
        retired = [m for v in self.registry.folders.versions(name) if (m := ModelId(name, v)) not in kept]
        for model in retired:
            self.registry.folders.retire(model)
        return tuple(retired)

    def _newest(self, name: str) -> list[ModelId]:
        return [ModelId(name, version) for version in self.registry.folders.versions(name)[-VERSIONS_KEPT:]]


def champion(registry: ModelRegistry) -> ModelMetadata:
    """The present champion.

    Raises
    ------
    RegistryError
        There is none, not even the counter model.
    """
    found = registry.resolve("champion")
    if found is None:
        raise RegistryError("there is no champion; run python -m ranker.registry.bootstrap")
    return found
