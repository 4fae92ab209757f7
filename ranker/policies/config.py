"""The policy file: validated when the process starts, versioned, logged with every decision."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

DEFAULT_POLICY = Path(__file__).with_name("default.toml")
DEFAULT_SURFACE = "home"

SourceName = Literal["recent", "trending"]
FilterName = Literal["seen", "expired", "blocked_creator", "unknown_item"]
Worth = Annotated[float, Meta(ge=-1e6, le=1e6)]
Count = Annotated[int, Meta(ge=0, le=1_000)]


class PolicyError(ValueError):
    """The policy file is not one; the message names the file and the field."""


class SurfacePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one surface wants.

    Attributes
    ----------
    sources : asked, in this order, when a request names no candidates
    filters : applied in this order
    most_per_creator, window : creator diversity; 0: none
    """

    sources: tuple[SourceName, ...] = ()
    filters: tuple[FilterName, ...] = ()
    most_per_creator: Count = 0
    window: Count = 0


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of the heads and the surfaces; surfaces not named behave as ``home``."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*\Z")]
    version: Annotated[int, Meta(ge=1)]
    value: Annotated[dict[str, Worth], Meta(min_length=1)]
    surfaces: dict[str, SurfacePolicy]

    @property
    def id(self) -> str:
        """``name/version``."""
        return f"{self.name}/{self.version}"


def load_policy(path: Path = DEFAULT_POLICY) -> Policy:
    """Read a policy file.

    Raises
    ------
    PolicyError
        It cannot be read, or is not valid.
    """
    try:
        policy = msgspec.toml.decode(path.read_bytes(), type=Policy)
    except (OSError, msgspec.DecodeError) as error:
        raise PolicyError(f"policy {path}: {error}") from error
    if DEFAULT_SURFACE not in policy.surfaces:
        raise PolicyError(f"policy {path}: surfaces.{DEFAULT_SURFACE} is missing")
    for name, surface in policy.surfaces.items():
        if 0 < surface.window <= surface.most_per_creator:
            raise PolicyError(f"policy {path}: surfaces.{name}.window must be larger than most_per_creator")
    return policy
