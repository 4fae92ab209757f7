"""What topics are created with."""

import pytest

from feature_store.schema.topics import EVENTS, ITEMS, SEGMENT_BYTES, DiskTooSmall, TopicSpec, topic_specs
from feature_store.settings import MAX_MESSAGE_BYTES, Settings

ENTITIES = ("user", "item", "user|creator")


def specs(**settings: float) -> dict[str, TopicSpec]:
    return {spec.name: spec for spec in topic_specs(Settings(**settings), ENTITIES)}


def test_without_a_bound_on_disk_sizes_are_left_to_the_owner_of_the_broker():
    for spec in specs().values():
        assert not {"retention.bytes", "segment.bytes"} & spec.config().keys()


@pytest.mark.parametrize("disk_gb", [8, 500])
@pytest.mark.parametrize("partitions", [1, 5])
def test_what_partitions_keep_and_the_segment_that_is_written_fit_the_disk(disk_gb, partitions):
    bounded = specs(kafka_disk_gb=disk_gb, events_partitions=partitions, batch_partitions=partitions)
    full = [
        spec.partitions * (int(config["retention.bytes"]) + int(config["segment.bytes"]))
        for spec in bounded.values()
        if "retention.bytes" in (config := spec.config())
    ]
    assert len(full) == len(bounded) - 1
    assert disk_gb * 1e9 - 100 <= sum(full) <= disk_gb * 1e9


def test_logs_that_rows_are_rebuilt_from_get_the_most():
    kept = {
        name: s.partitions * s.retention_bytes
        for name, s in specs(kafka_disk_gb=8).items()
        if s.retention_bytes
    }
    most = max(size for name, size in kept.items() if not name.startswith("batches.") and name != EVENTS)
    assert all(kept[name] > most for name in ("batches.user", "batches.item", "batches.user-creator", EVENTS))


def test_what_is_compacted_has_no_bound_and_a_segment_holds_the_largest_message():
    assert specs(kafka_disk_gb=8)[ITEMS].retention_bytes is None
    assert SEGMENT_BYTES > MAX_MESSAGE_BYTES


def test_a_disk_on_which_a_topic_could_keep_nothing_is_refused_with_the_least_that_will_do():
    with pytest.raises(DiskTooSmall, match=r"EDDYLINE_KAFKA_DISK_GB: 1, .* need (\d+\.\d)") as refused:
        specs(kafka_disk_gb=1)
    least = float(str(refused.value).split(" need ")[1].split(",")[0])
    assert specs(kafka_disk_gb=least + 0.1)
    with pytest.raises(DiskTooSmall):
        specs(kafka_disk_gb=least - 0.1)
