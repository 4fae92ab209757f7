"""What a ranker reads and answers, as data, and Triton's `config.pbtxt` made from it."""

from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

_CONFIG = """\
# Generated from feature service {service}; do not edit.
name: "{name}"
backend: "python"
max_batch_size: 0
input [
  {{ name: "user" data_type: TYPE_FP32 dims: [ 1, {user} ] }},
  {{ name: "candidates" data_type: TYPE_FP32 dims: [ -1, {candidates} ] }},
  {{ name: "ids" data_type: TYPE_INT64 dims: [ -1, {ids} ] }}
]
output [
{outputs}
]
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
parameters {{ key: "fingerprint" value {{ string_value: "{fingerprint}" }} }}
"""


class Recents(NamedTuple):
    """Id columns that hold what the user did last, the newest first, alike for all candidates of a request.

    Attributes
    ----------
    of : the id column that has the same kind of ids
    k : how many columns
    alike : id columns by which two of these ids are alike
    """

    name: str
    of: str
    k: int
    alike: tuple[str, ...]


class RecentPlaces(NamedTuple):
    """As :class:`Recents`, by place; the columns are ``first``, ``first + 1``, …"""

    of: int
    first: int
    k: int
    alike: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """The columns of a feature service, in the order in which a model reads them.

    Attributes
    ----------
    service, fingerprint : name and fingerprint of the feature service
    user, candidate : dense columns, float32
    ids : columns of 53-bit hashes, int64, 0 where there is none
    recents : what the last of ``ids`` are, in order
    """

    service: str
    fingerprint: str
    user: tuple[str, ...]
    candidate: tuple[str, ...]
    ids: tuple[str, ...]
    recents: tuple[Recents, ...] = ()

    @property
    def recent_places(self) -> tuple[RecentPlaces, ...]:
        """Where they lie among ``ids``."""
        ends = accumulate((each.k for each in self.recents), initial=len(self.single_ids))
        return tuple(
            RecentPlaces(self.ids.index(each.of), first, each.k, tuple(map(self.ids.index, each.alike)))
            for each, first in zip(self.recents, ends, strict=False)
        )

    @property
    def single_ids(self) -> tuple[str, ...]:
        """Those of ``ids`` that are no recents."""
        return self.ids[: len(self.ids) - sum(each.k for each in self.recents)]


def config_pbtxt(name: str, signature: Signature, heads: tuple[str, ...]) -> str:
    """Triton's configuration of a model: one output (-1) per head of any of its versions."""
    return _CONFIG.format(
        name=name,
        service=signature.service,
        fingerprint=signature.fingerprint,
        user=len(signature.user),
        candidates=len(signature.candidate),
        ids=len(signature.ids),
        outputs=",\n".join(f'  {{ name: "{head}" data_type: TYPE_FP32 dims: [ -1 ] }}' for head in heads),
    )
