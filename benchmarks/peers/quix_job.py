"""The feature job in Quix Streams: a `BatchingSink` folds and writes what came between two commits.

Run by ``python quix_job.py SPEC`` in the environment of ``quix.lock``.
"""

import sys

from per_event_fold import PerEventFold, RowWriter, load_spec
from quixstreams import Application
from quixstreams.sinks import BatchingSink


class RowSink(BatchingSink):
    """Folds each batch and writes its rows in one round trip, before the offsets are committed."""

    def __init__(self, spec):
        super().__init__()
        self._fold, self._writer = PerEventFold(spec), RowWriter(spec["redis"])

    def write(self, batch):
        for item in batch:
            self._fold.apply(item.value)
            offset = item.offset
        self._writer.write(self._fold.take_dirty(), batch.partition, offset)


def main(path):
    """Consume `events` from the start until killed."""
    spec = load_spec(path)
    application = Application(
        broker_address=spec["kafka"],
        consumer_group="eddyline-peer-quix",
        auto_offset_reset="earliest",
        commit_every=8192,
        commit_interval=1.0,
        auto_create_topics=False,
        use_changelog_topics=False,
        loglevel="WARNING",
    )
    topic = application.topic("events", key_deserializer="bytes", value_deserializer="bytes")
    application.dataframe(topic).sink(RowSink(spec))
    application.run()


if __name__ == "__main__":
    main(sys.argv[1])
