"""Where a partition goes on, or why it must not."""

import pytest

from feature_store.online import Checkpoint
from streams.processors.start import CannotStart, LogBounds, TopicIdentity, start_offset

TOPIC = TopicIdentity("batches.user", "id-1", 4)


def checkpoint(next_offset: int, topic_id: str = "id-1", partitions: int = 4) -> Checkpoint:
    return Checkpoint(next_offset, {}, topic_id, partitions)


@pytest.mark.parametrize("next_offset", [5, 7, 9])
def test_it_goes_on_where_the_checkpoint_says(next_offset):
    assert start_offset(checkpoint(next_offset), TOPIC, 2, LogBounds(5, 9)) == next_offset


def test_without_a_checkpoint_a_whole_log_is_folded_from_its_beginning():
    assert start_offset(None, TOPIC, 2, LogBounds(0, 9)) == 0


def test_without_a_checkpoint_a_log_that_lost_its_beginning_is_refused_unless_accepted():
    with pytest.raises(CannotStart, match="EDDYLINE_FEATURES_ACCEPT_INCOMPLETE"):
        start_offset(None, TOPIC, 2, LogBounds(5, 9))
    assert start_offset(None, TOPIC, 2, LogBounds(5, 9), accept_incomplete=True) == 5


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (checkpoint(4), "retention removed"),
        (checkpoint(10), "lost acknowledged"),
        (checkpoint(7, topic_id="id-2"), "made anew"),
        (checkpoint(7, partitions=8), "8 partitions"),
    ],
)
def test_a_checkpoint_that_does_not_fit_the_log_is_refused_with_what_to_do(found, says):
    with pytest.raises(CannotStart, match=f"{says}.*rebuild"):
        start_offset(found, TOPIC, 2, LogBounds(5, 9), accept_incomplete=True)
