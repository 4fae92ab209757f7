"""The feature job in Bytewax: one dataflow, `flat_map_batch`, rows of a batch in one write.

Run by ``python bytewax_job.py SPEC`` in the environment of ``bytewax.lock``.
"""

import sys

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main
from per_event_fold import PerEventFold, RowWriter, load_spec


class _Discard(StatelessSinkPartition):
    def write_batch(self, items):
        pass


class DiscardSink(DynamicSink):
    """The rows were written by the mapper: nothing is left to do."""

    def build(self, step_id, worker_index, worker_count):
        return _Discard()


def dataflow(spec):
    """`events` → decode and fold a whole batch → rows in Redis."""
    fold, writer = PerEventFold(spec), RowWriter(spec["redis"])

    def fold_batch(messages):
        for message in messages:
            fold.apply(message.value)
        last = messages[-1]
        writer.write(fold.take_dirty(), last.partition, last.offset)
        return ()

    flow = Dataflow("eddyline_peer")
    source = KafkaSource([spec["kafka"]], ["events"], batch_size=8192, add_config={"fetch.min.bytes": "1"})
    op.output("out", op.flat_map_batch("fold", op.input("events", flow, source), fold_batch), DiscardSink())
    return flow


if __name__ == "__main__":
    run_main(dataflow(load_spec(sys.argv[1])))
