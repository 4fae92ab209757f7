"""What salts draw is the same in every version: who is held out must not change with an upgrade."""

import hashlib
import hmac
from dataclasses import replace

import numpy as np

from ranker.experiments.coins import uniforms
from ranker.experiments.nudge import Nudges
from tests.unit.ranker.world import World


def test_uniforms_are_the_digest_in_four_numbers_the_highest_byte_first() -> None:
    digest = hmac.new(b"salt", b"u1", hashlib.sha256).hexdigest()
    quarters = [int(digest[16 * n : 16 * n + 16], 16) / 2**64 for n in range(4)]
    assert np.allclose(uniforms(b"salt", "u1"), quarters, rtol=0, atol=2**-53)


def test_items_that_are_not_in_memory_have_the_signs_of_their_ids() -> None:
    """Their rows are −1, which in numpy is the last item that there is."""
    world, nudges = World(), Nudges(b"salt", 0.1)
    known = world.pipeline()._named(world.announce(8))
    nudges.nudge(3, known)
    strangers = replace(known, rows=np.full(8, -1, known.rows.dtype), item_ids=[f"new{n}" for n in range(8)])
    expected = nudges.of_items(3, strangers.item_ids)
    assert len(set(expected.tolist())) == 2
    assert nudges.nudge(3, strangers).tolist() == expected.tolist()
