"""What a ranker reads and answers, as data, and Triton's `config.pbtxt` made from it."""

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Signature:
    """The columns of a feature service, in the order in which a model reads them.

    Attributes
    ----------
    service, fingerprint : name and fingerprint of the feature service
    user, candidate : dense columns, float32
    ids : columns of 53-bit hashes, int64, 0 where there is none
    """

    service: str
    fingerprint: str
    user: tuple[str, ...]
    candidate: tuple[str, ...]
    ids: tuple[str, ...]


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
