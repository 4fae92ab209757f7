"""Reading `exposures`, and reading on."""

import pyarrow as pa
import pytest
from confluent_kafka import Producer

from feature_store.exposure_log import read_exposures
from feature_store.schema.exposures import encode_exposures
from feature_store.schema.topics import EXPOSURES
from feature_store.settings import Settings
from tests.unit.feature_store.schema.test_exposures import exposures

pytestmark = pytest.mark.integration


def write(bootstrap: str, *batches: pa.RecordBatch) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for batch in batches:
        for payload in encode_exposures(batch):
            producer.produce(EXPOSURES, payload, partition=0)
    producer.flush()


@pytest.mark.usefixtures("topics")
def test_what_is_read_on_is_as_if_all_had_been_read_at_once(kafka: str) -> None:
    settings = Settings(kafka_bootstrap=kafka)
    read = read_exposures(settings)
    assert read.rankings == 0
    write(kafka, exposures("r1"), exposures(None))
    read = read.continued(settings)
    assert read.rankings == 1, "organic exposures are of no ranking"
    write(kafka, exposures("r2"), exposures("r1"))
    read, at_once = read.continued(settings), read_exposures(settings)
    assert read.rankings == 2
    assert read.offsets == at_once.offsets
    assert read.exposures.select(["request_id", "item_id", "log_offset"]).equals(
        at_once.exposures.select(["request_id", "item_id", "log_offset"])
    )
