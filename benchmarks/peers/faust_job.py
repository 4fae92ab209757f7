"""The feature job as a plain per-event Faust agent: one event, one fold, one write of its rows."""

import sys

import faust
from per_event_fold import PerEventFold, RowWriter, load_spec


def build_app(spec):
    """A worker that folds `events` one at a time."""
    app = faust.App(
        "eddyline-peer-faust",
        broker=f"kafka://{spec['kafka']}",
        store="memory://",
        topic_disable_leader=True,
        web_enabled=False,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=500,
    )
    fold, writer = PerEventFold(spec), RowWriter(spec["redis"])

    @app.agent(app.topic("events", value_serializer="raw", key_serializer="raw"))
    async def features(stream):
        async for event in stream.events():
            fold.apply(event.value)
            writer.write(fold.take_dirty(), event.message.partition, event.message.offset)

    return app


if __name__ == "__main__":
    faust.Worker(build_app(load_spec(sys.argv[1])), loglevel="WARNING").execute_from_commandline()
