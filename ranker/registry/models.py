"""What the registry knows of a model version."""

from typing import Any, Self

import msgspec

from triton_models.signature import Recents


class RegistryError(RuntimeError):
    """The registry cannot do what was asked; the message says what to do."""


class RegistryUnavailable(RegistryError):  # noqa: N818  (a state of the world)
    """The aliases cannot be reached."""


class AliasConflict(RegistryError):  # noqa: N818  (a state of the world)
    """An alias no longer points to what the caller expected; nothing was changed."""


class ModelId(msgspec.Struct, frozen=True, order=True):
    """One version of a model; its text is ``name/version``."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``.

        Raises
        ------
        RegistryError
            ``text`` is not ``name/version``.
        """
        name, _, version = text.partition("/")
        if not name or not version.isdecimal():
            raise RegistryError(f"model {text!r}: expected name/version, such as timeline_ranker/3")
        return cls(name, version)


class ServedModel(msgspec.Struct, frozen=True):
    """What a ranker needs to know of the version that it asks."""

    name: str
    version: str
    fingerprint: str
    heads: tuple[str, ...]


class Check(msgspec.Struct, frozen=True):
    """One question of the gate, and the figures of its answer."""

    name: str
    passed: bool
    figures: str

    def __str__(self) -> str:
        return f"{self.name}: {self.figures}"


class Environment(msgspec.Struct, frozen=True):
    """Where weights were made: the same data and seed give the same bits in the same one only.

    Attributes
    ----------
    cpu : architecture and instruction set that the numerical libraries use
    threads : of torch
    torch : its version
    lock : SHA-256 of the lock file of the environment; None outside a checkout
    """

    cpu: str
    threads: int
    torch: str
    lock: str | None


class Lineage(msgspec.Struct, frozen=True):
    """What a version was made of.

    Attributes
    ----------
    training_data : SHA-256 of the Parquet file that it learned from, kept by the registry
    weights : SHA-256 over the names and bytes of the weights
    parent : the version whose weights it went on from; None: from scratch
    offsets : partition of `exposures` -> (first offset, the one after the last)
    label_window_ms : from an impression to the latest outcome that is part of the data
    policies : share of the training rows that each policy displayed
    experiments : share that was `nudged`, `explored` and `held_out`; empty where the rows do not say
    """

    training_data: str
    weights: str
    environment: Environment
    parent: str | None = None
    offsets: dict[int, tuple[int, int]] = {}
    label_window_ms: int = 0
    policies: dict[str, float] = {}
    experiments: dict[str, float] = {}


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """`metadata.json` of a version folder.

    Attributes
    ----------
    name, version : of the model; the registry numbers versions
    service, fingerprint : the feature service it was made for
    user_columns, candidate_columns, id_columns : of the service, in the order in which they are read
    recents : what the last of the id columns are
    heads : outputs, in the order of the module's columns
    seed, parameters : what, with the same data, makes the same weights
    data : ranges and counts of the exposures it learned from
    evaluation : the printed table
    git_commit : of the code that made it; None outside a checkout
    lineage : None of a model that was not learned; such a one needs to pass no gate
    """

    name: str
    version: str = ""
    service: str
    fingerprint: str
    user_columns: tuple[str, ...]
    candidate_columns: tuple[str, ...]
    id_columns: tuple[str, ...]
    recents: tuple[Recents, ...] = ()
    heads: tuple[str, ...]
    created_time_ms: int = 0
    seed: int = 0
    parameters: dict[str, Any] = {}
    data: dict[str, Any] = {}
    evaluation: dict[str, Any] = {}
    git_commit: str | None = None
    lineage: Lineage | None = None

    @property
    def id(self) -> ModelId:
        """Name and version."""
        return ModelId(self.name, self.version)

    @property
    def served(self) -> ServedModel:
        """The ranker's view of it."""
        return ServedModel(self.name, self.version, self.fingerprint, self.heads)


def need_features(model: ModelMetadata, fingerprint: str) -> None:
    """Refuse a version that rankers which read ``fingerprint`` could not ask.

    Raises
    ------
    RegistryError
        The message has both fingerprints, and what to do.
    """
    if model.fingerprint != fingerprint:
        raise RegistryError(
            f"model {model.id} was made for feature fingerprint {model.fingerprint}, "
            f"but {fingerprint} is served: promote the counters (`eddyline models promote counters`), "
            f"or go back to the definitions of {model.fingerprint} (EDDYLINE_DEFINITIONS), then to the model"
        )
