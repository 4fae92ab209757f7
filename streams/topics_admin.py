"""Creates the topics that are missing and checks those that are there: `python -m streams.topics_admin`."""

import sys
import time
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from feature_store.catalog import load_folded
from feature_store.schema.topics import DiskTooSmall, TopicSpec, topic_specs
from feature_store.settings import Settings, kafka_client_config

_TIMEOUT_S = 30.0
_LEADER_POLL_S = 0.05
_BY_DISK = ("retention.bytes", "segment.bytes")

Connect = Callable[[], AdminClient]


class TopicMismatch(RuntimeError):  # noqa: N818  (a state of the world, named for what is found)
    """Topics on the broker are not what the code declares; the message says which, and what to do."""


def ensure_topics(settings: Settings, *, altering: bool = False) -> list[str]:
    """Create every topic of a deployment that is missing, check the others, or give them what is declared.

    Returns
    -------
    Names of the topics created.

    Raises
    ------
    TopicMismatch
        When a topic that exists has other partitions or another configuration.
    DiskTooSmall
        When the topics do not fit the disk that they may take.
    confluent_kafka.KafkaException
        When the broker cannot be reached or refuses.
    """

    def connect() -> AdminClient:
        return AdminClient(dict(kafka_client_config(settings)))

    admin = connect()
    specs = topic_specs(settings, load_folded().entities)
    existing = admin.list_topics(timeout=_TIMEOUT_S).topics
    there = [spec for spec in specs if spec.name in existing]
    if altering:
        alter(admin, there)
    check(admin, there)
    missing = [spec for spec in specs if spec.name not in existing]
    return create(connect, missing, settings.replication_factor)


def create(connect: Connect, specs: Sequence[TopicSpec], replication_factor: int) -> list[str]:
    """Create topics; the names of those that no other process created meanwhile."""
    if not specs:
        return []
    admin = connect()
    results = admin.create_topics(
        [NewTopic(spec.name, spec.partitions, replication_factor, config=spec.config()) for spec in specs],
        operation_timeout=_TIMEOUT_S,
    )
    created = [name for name, result in results.items() if _created(result)]
    _wait_for_leaders(connect, specs)
    return created


def check(admin: AdminClient, specs: Sequence[TopicSpec]) -> None:
    """Raise :class:`TopicMismatch` with all that differs between ``specs`` and the broker."""
    if not specs:
        return
    problems = [*_partition_problems(admin, specs), *_config_problems(admin, specs)]
    if problems:
        raise TopicMismatch("\n".join(problems))


def _created(result) -> bool:  # type: ignore[no-untyped-def]
    """Whether this call created the topic; another process may have been faster."""
    try:
        result.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise
    return True


def _wait_for_leaders(connect: Connect, specs: Sequence[TopicSpec]) -> None:
    """Wait until every partition of new topics answers; raises what the broker says if it does not.

    A client that was once told that a topic is unknown may believe so for metadata.max.age.ms, 15 minutes:
    librdkafka means to forget it after 100 ms, but looks only at the oldest entry of what it remembers. So
    each attempt asks with a client that remembers nothing.
    """
    partitions = [TopicPartition(spec.name, number) for spec in specs for number in range(spec.partitions)]
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        admin = connect()
        asked = admin.list_offsets(dict.fromkeys(partitions, latest))
        errors = [error for future in asked.values() if (error := future.exception(_TIMEOUT_S)) is not None]
        if not errors:
            return
        if time.monotonic() > deadline:
            raise errors[0]
        time.sleep(_LEADER_POLL_S)


def _partition_problems(admin: AdminClient, specs: Sequence[TopicSpec]) -> list[str]:
    found = admin.list_topics(timeout=_TIMEOUT_S).topics
    return [
        _partition_problem(spec, len(found[spec.name].partitions))
        for spec in specs
        if len(found[spec.name].partitions) != spec.partitions
    ]


def _partition_problem(spec: TopicSpec, found: int) -> str:
    return (
        f"topic {spec.name}: partitions: declared {spec.partitions}, found {found}. Ids are bound to"
        " partitions, so never add any to a topic in use: set EDDYLINE_EVENTS_PARTITIONS,"
        f" EDDYLINE_BATCH_PARTITIONS or EDDYLINE_RANK_PARTITIONS so that {spec.name} gets {found}, or start a"
        " new deployment and rebuild its rows from the log."
    )


def _config_problems(admin: AdminClient, specs: Sequence[TopicSpec]) -> list[str]:
    resources = [ConfigResource(ResourceType.TOPIC, spec.name) for spec in specs]
    described = {
        resource.name: future.result(timeout=_TIMEOUT_S)
        for resource, future in admin.describe_configs(resources).items()
    }
    return [
        _config_problem(spec.name, setting, declared, described[spec.name][setting].value)
        for spec in specs
        for setting, declared in spec.config().items()
        if described[spec.name][setting].value != declared
    ]


def _config_problem(topic: str, setting: str, declared: str, found: str) -> str:
    bound = "EDDYLINE_KAFKA_DISK_GB, where 0 leaves sizes as they are"
    declaration = bound if setting in _BY_DISK else "its declaration in feature_store/schema/topics.py"
    return (
        f"topic {topic}: {setting}: declared {declared}, found {found}. Set it with `kafka-configs.sh"
        f" --alter --entity-type topics --entity-name {topic} --add-config {setting}={declared}`, or with"
        f" `python -m streams.topics_admin --alter` for all topics, or change {declaration}."
    )


def alter(admin: AdminClient, specs: Sequence[TopicSpec]) -> None:
    """Give topics that exist what is declared; what a smaller bound deletes is gone, so people ask for it."""
    set_to = AlterConfigOpType.SET
    changes = [
        ConfigResource(
            ResourceType.TOPIC,
            spec.name,
            incremental_configs=[
                ConfigEntry(setting, value, incremental_operation=set_to)
                for setting, value in spec.config().items()
            ],
        )
        for spec in specs
    ]
    for future in admin.incremental_alter_configs(changes).values():
        future.result(timeout=_TIMEOUT_S)


def main(arguments: Sequence[str]) -> int:
    """Create and check, with ``--alter`` set; exit code 1 and what to do where a topic is not as declared."""
    try:
        created = ensure_topics(Settings(), altering="--alter" in arguments)
    except (DiskTooSmall, TopicMismatch) as mismatch:
        print(mismatch, file=sys.stderr)
        return 1
    print(f"topics: created {', '.join(created)}" if created else "topics: all there, as declared")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
