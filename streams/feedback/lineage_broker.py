"""Who reads what, as the broker's consumer groups show it.

A consumer that neither joins a group nor commits offsets is invisible to the broker, and so to us.
"""

from collections.abc import Iterable

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
from confluent_kafka.admin import AdminClient

from feature_store.settings import Settings, kafka_client_config

_TIMEOUT_S = 30.0


def consumer_groups(settings: Settings) -> dict[str, set[str]]:
    """Group -> topics that it has committed offsets of, or that its members are assigned now.

    Raises
    ------
    confluent_kafka.KafkaException
        When the broker cannot be reached or refuses.
    """
    admin = AdminClient(dict(kafka_client_config(settings)))
    listed = admin.list_consumer_groups(request_timeout=_TIMEOUT_S).result(_TIMEOUT_S)
    if listed.errors:
        raise KafkaException(listed.errors[0])
    groups = [group.group_id for group in listed.valid]
    found = {group: _committed(admin, group) for group in groups}
    for group, topics in _assigned(admin, groups):
        found[group] |= topics
    return found


def _committed(admin: AdminClient, group: str) -> set[str]:
    asked = admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group)], request_timeout=_TIMEOUT_S
    )
    partitions = asked[group].result(_TIMEOUT_S).topic_partitions
    return {partition.topic for partition in partitions}


def _assigned(admin: AdminClient, groups: list[str]) -> Iterable[tuple[str, set[str]]]:
    if not groups:
        return
    for group, described in admin.describe_consumer_groups(groups, request_timeout=_TIMEOUT_S).items():
        members = described.result(_TIMEOUT_S).members
        yield group, {part.topic for member in members for part in member.assignment.topic_partitions}
