"""Who is in the panel: drawn among those whom timelines were made for lately, and kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing

import pyarrow as pa

from feature_store.schema.served import USER_SLICE, decode_served
from feature_store.schema.topics import RANK_SERVED
from feature_store.settings import Settings
from feature_store.slices import ALL_USERS
from feature_store.topic_log import log_bounds, log_reader, read_log
from ranker.panel.sample import sampled_users

Users = Mapping[str, Sequence[str]]
"""slice -> its users."""

LOOK_AGAIN_EPOCHS = 30
"""For users of slices that had none: to look, the end of `rank.served` is read."""

_MESSAGES = 200


class PanelUsers:
    """Draws the users of each slice as soon as there are some, and stays with them.

    Parameters
    ----------
    slices : names; none: all users together
    served : users served lately, and the slice of each
    size : users of each slice
    """

    def __init__(
        self, slices: Sequence[str], served: Callable[[], Mapping[str, str]], salt: bytes, size: int
    ) -> None:
        self._slices = tuple(slices)
        self._served = served
        self._salt = salt
        self._size = size
        self._drawn: dict[str, list[str]] = {}
        self._epochs = 0

    def of_next_epoch(self) -> Users:
        """The panel's users; slices of which nobody was served yet are absent."""
        wanted = self._slices or (ALL_USERS,)
        lacking = [name for name in wanted if name not in self._drawn]
        if lacking and (not self._drawn or self._epochs % LOOK_AGAIN_EPOCHS == 0):
            members = self._members()
            self._drawn |= {
                name: sampled_users(self._salt, members[name], self._size)
                for name in lacking
                if name in members
            }
        self._epochs += 1
        return {name: self._drawn[name] for name in wanted if name in self._drawn}

    def _members(self) -> dict[str, list[str]]:
        members: dict[str, list[str]] = {}
        for user, user_slice in self._served().items():
            members.setdefault(user_slice if self._slices else ALL_USERS, []).append(user)
        return members


def users_served(settings: Settings) -> dict[str, str]:
    """Users of the last messages of each partition of `rank.served`, with their slices.

    Raises
    ------
    confluent_kafka.KafkaException
        The broker does not answer.
    """
    with closing(log_reader(settings, "panel-users")) as consumer:
        ends = log_bounds(consumer, RANK_SERVED)
        bounds = {number: (max(first, end - _MESSAGES), end) for number, (first, end) in ends.items()}
        messages = read_log(consumer, RANK_SERVED, bounds)
        return slices_of(decode_served(message.value() or b"") for message in messages)


def slices_of(messages: Iterable[pa.RecordBatch]) -> dict[str, str]:
    """user -> the slice that the last message says, :data:`ALL_USERS` where none does."""
    found: dict[str, str] = {}
    for rows in messages:
        pairs = pa.table({"user": rows.column("user_id"), "slice": rows.column(USER_SLICE).cast(pa.string())})
        distinct = pairs.group_by(["user", "slice"], use_threads=False).aggregate([])
        for user, user_slice in zip(*(column.to_pylist() for column in distinct.columns), strict=True):
            if user_slice is not None or user not in found:
                found[user] = user_slice or ALL_USERS
    return found
