"""`score.panel`: at the beginning of each epoch, what every item would score, and by which of its features.

One Kafka message is one Arrow IPC stream with one record batch: the items of one partition, as users of one
slice would see them. What holds for the whole epoch is in the schema's metadata.
"""

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_store.schema.batches import read_ipc, write_ipc
from feature_store.slices import ALL_USERS

_HEADER_KEY = b"eddyline.panel"


class PanelHeader(msgspec.Struct, frozen=True):
    """What holds for all rows of an epoch and slice.

    Attributes
    ----------
    epoch, epoch_ms : number of the epoch, and how long one is
    model_version : ``<name>:<version>``, pinned from epoch to epoch
    features : names of the contributions, in order
    items : rows in all messages of the epoch and slice together
    users : users whose scores were averaged
    user_slice : that these users are of
    slices : names of all slices, in order; one without users has no rows. Empty: users are not told apart
    allowed_gains : what the declared lineage allows each feature; None: it says nothing of it. Empty: of none
    """

    epoch: int
    epoch_ms: int
    model_version: str
    features: tuple[str, ...]
    items: int
    users: int
    user_slice: str = ALL_USERS
    slices: tuple[str, ...] = ()
    allowed_gains: tuple[float | None, ...] = ()


class PanelRows(msgspec.Struct, frozen=True):
    """Items as columns.

    Attributes
    ----------
    item_ids : (n,) string
    raw_score : (n,) float64, mean over the panel's users, before any nudge
    contributions : (n, f) float64: by which each feature changes the raw score from its reference value
    nudge : (n,) float64 in force during the epoch
    """

    header: PanelHeader
    item_ids: pa.Array
    raw_score: NDArray[np.float64]
    contributions: NDArray[np.float64]
    nudge: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.item_ids)

    def take(self, index: NDArray[np.intp]) -> "PanelRows":
        """The rows at ``index``."""
        return PanelRows(
            self.header,
            self.item_ids.take(pa.array(index)),
            self.raw_score[index],
            self.contributions[index],
            self.nudge[index],
        )


def late_after_ms(epoch_ms: int) -> int:
    """How long after its epoch began a panel counts still, ms: nudges act on what is scored later."""
    return epoch_ms // 2


def encode_panel(rows: PanelRows) -> bytes:
    """One message."""
    n, header = len(rows), rows.header
    flat = pa.array(rows.contributions.reshape(-1))
    columns = {
        "epoch": pa.array(np.full(n, header.epoch)),
        "item_id": rows.item_ids,
        "raw_score": pa.array(rows.raw_score),
        "contributions": pa.FixedSizeListArray.from_arrays(flat, rows.contributions.shape[1]),
        "nudge": pa.array(rows.nudge),
        "model_version": pa.repeat(header.model_version, n),
    }
    return write_ipc(columns, {_HEADER_KEY: msgspec.json.encode(header)})


def decode_panel(payload: bytes) -> PanelRows:
    """The rows of one message.

    Raises
    ------
    pyarrow.ArrowInvalid
        When the bytes are not an Arrow IPC stream.
    ValueError
        When it has no header, or rows of another width than the header says.
    """
    batch = read_ipc(payload)
    stored = (batch.schema.metadata or {}).get(_HEADER_KEY)
    if stored is None:
        raise ValueError("score.panel: the message has no header")
    header = msgspec.json.decode(stored, type=PanelHeader)
    flat = batch.column("contributions").flatten().to_numpy()
    return PanelRows(
        header,
        batch.column("item_id"),
        batch.column("raw_score").to_numpy(),
        flat.reshape(len(batch), len(header.features)),
        batch.column("nudge").to_numpy(),
    )
