"""One epoch after the other: the messages of a cut go to every watch, and what they find is kept.

A pure function of the messages of each epoch: no clock, no randomness, no order but that of the logs.
"""

from collections.abc import Iterable, Sequence

import msgspec
import pyarrow as pa

from feature_store.schema.findings import (
    Acknowledgement,
    Finding,
    FindingState,
    Record,
    decode_record,
    fold,
)
from feature_store.schema.panel import PanelRows, decode_panel
from feature_store.schema.topics import FINDINGS, SCORE_PANEL
from streams.feedback.base import LINEAGE, State
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.lineage_self_training import label_causes
from streams.feedback.production.dated_log import LogMessage
from streams.feedback.production.gathered import gathered
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.watch import Watch, below, under

REMEMBERED = 256
"""Closed findings that are known still, the latest: what was written before the closing was read must not
open them again. A number, and no time: detectors that were away for long read it late.
"""


class _Header(msgspec.Struct, frozen=True):
    """What is kept beside the arrays.

    Attributes
    ----------
    watches : name -> what that watch says of itself
    known : finding id -> what was found, and said of it
    """

    watches: dict[str, msgspec.Raw]
    known: dict[str, FindingState]


class Watches:
    """All that look at the same logs.

    Parameters
    ----------
    watches : with names of their own
    """

    def __init__(self, watches: Sequence[Watch], metrics: LoopMetrics) -> None:
        self._watches = {watch.name: watch for watch in watches}
        self._metrics = metrics
        self._known: dict[str, FindingState] = {}
        metrics.opened(())

    def fold(self, epoch: int, messages: Iterable[LogMessage], now_ms: int) -> list[Finding]:
        """Take in an epoch, and what has to be written because of it.

        Parameters
        ----------
        messages : all that the cut of ``epoch`` holds, in their order
        now_ms : log time of the cut
        """
        panel: list[PanelRows] = []
        for message in gathered(messages):
            if isinstance(message, pa.RecordBatch):
                self._expose(ExposureRows(message))
            elif message.topic == FINDINGS:
                self._hear(message.payload, epoch)
            elif message.topic == SCORE_PANEL:
                panel.append(decode_panel(message.payload))
        due = [part for part in panel if part.header.epoch == epoch]
        found = [finding for watch in self._watches.values() for finding in watch.close(epoch, due, now_ms)]
        for finding in found:
            self._note(finding)
        return found

    def still_open(self) -> list[Record]:
        """What nobody has closed, and what was said of it; of the lineage others write, who know better."""
        return [
            record
            for state in self._known.values()
            if state.open and state.finding.detector != LINEAGE
            for record in state.again()
        ]

    def state(self) -> tuple[bytes, State]:
        """What is watched as JSON, and all arrays."""
        headers: dict[str, msgspec.Raw] = {}
        arrays: State = {}
        for name, watch in self._watches.items():
            header, part = watch.state()
            headers[name] = msgspec.Raw(header)
            arrays = {**arrays, **under(f"{name}/", part)}
        return msgspec.json.encode(_Header(headers, self._known)), arrays

    def restore(self, header: bytes, arrays: State) -> None:
        """Go on where the one that gave this state was.

        Raises
        ------
        ValueError
            Other detectors gave it, or such with other parameters.
        """
        try:
            stored = msgspec.json.decode(header, type=_Header)
            if set(stored.watches) != set(self._watches):
                raise ValueError(f"of {sorted(stored.watches)}, not {sorted(self._watches)}")
            for name, watch in self._watches.items():
                watch.restore(bytes(stored.watches[name]), below(arrays, f"{name}/"))
        except msgspec.DecodeError as error:
            raise ValueError(f"in another format: {error}") from error
        self._known = stored.known
        self._show()

    def _expose(self, rows: ExposureRows) -> None:
        """Labels are counted in their first revision, so that each counts once."""
        self._metrics.caused(label_causes(rows, rows.first))
        for watch in self._watches.values():
            watch.expose(rows)

    def _hear(self, payload: bytes, epoch: int) -> None:
        """Take in what was found or said; the watch whose finding is closed begins anew."""
        try:
            record = decode_record(payload)
        except msgspec.DecodeError:
            self._metrics.refused.inc()
            return
        self._note(record)
        if isinstance(record, Acknowledgement) and record.closes:
            for watch in self._watches.values():
                watch.settle(record.finding_id, epoch)

    def _note(self, record: Record) -> None:
        known = self._known.get(record.finding_id)
        state = fold(known, record, _time_ms(record))
        if state is not None:
            self._known[record.finding_id] = state
            if not state.open and known is not None and known.open:
                self._close(record.finding_id)
        self._show()

    def _close(self, finding_id: str) -> None:
        """Move it behind those that were closed before, and forget the first of them when they are many."""
        self._known[finding_id] = self._known.pop(finding_id)
        closed = [each for each, state in self._known.items() if not state.open]
        for each in closed[:-REMEMBERED]:
            del self._known[each]

    def _show(self) -> None:
        self._metrics.opened(state for state in self._known.values() if state.open)


def _time_ms(record: Record) -> int:
    """Of the epochs, not of the log: a record is the same whenever it is written."""
    return record.updated_time_ms if isinstance(record, Finding) else record.time_ms
