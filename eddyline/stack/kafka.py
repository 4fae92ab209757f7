"""The broker: one KRaft node that is its own controller."""

import os
from pathlib import Path

from eddyline.stack.parts import ROOT, Parts
from eddyline.stack.probes import kafka_answers
from eddyline.stack.process import Process
from eddyline.stack.settings import StackSettings

_CLUSTER_ID = "ZWRkeWxpbmUtbG9jYWwtMQ"
_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
"""A young broker on few cores spends more on compiling its code well than that saves in an hour."""
_LOGGING = ROOT / "deploy" / "local" / "kafka" / "log4j2.properties"


def kafka(
    settings: StackSettings, parts: Parts, folder: Path, port: int, controller_port: int
) -> list[Process]:
    """A task that formats ``folder`` (only a new one needs it), and the broker on ``127.0.0.1:port``."""
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    properties.write_text(_render(_properties(settings, folder, port, controller_port)))
    java = [
        parts.java,
        *_JVM,
        *_archive(parts),
        f"-Dlog4j2.configurationFile={_LOGGING}",
        "-cp",
        parts.kafka_classpath,
    ]
    broker = [java[0], f"-Xmx{settings.kafka_heap_mb}m", f"-Xms{settings.kafka_heap_mb}m", *java[1:]]
    format_folder = [
        "kafka.tools.StorageTool",
        "format",
        "--ignore-formatted",
        "-t",
        _CLUSTER_ID,
        "-c",
        str(properties),
    ]
    server = Process(
        name="kafka",
        argv=lambda: [*broker, "kafka.Kafka", str(properties)],
        env=os.environ,
        ready=kafka_answers(f"127.0.0.1:{port}"),
        stop_grace_s=20.0,
    )
    if (folder / "data" / "meta.properties").exists():
        return [server]
    formatting = Process(name="kafka-format", argv=lambda: [*java, *format_folder], env=os.environ)
    return [formatting, _after(server, formatting)]


def _archive(parts: Parts) -> list[str]:
    """Classes as they are once loaded: almost half of what a broker's start takes is loading them."""
    return [f"-XX:SharedArchiveFile={parts.kafka_classes}"] if parts.kafka_classes.exists() else []


def _after(process: Process, earlier: Process) -> Process:
    return Process(**{**vars(process), "after": (earlier.name,)})


def _properties(settings: StackSettings, folder: Path, port: int, controller_port: int) -> dict[str, object]:
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": folder / "data",
        "auto.create.topics.enable": "false",
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 8,
        # Longer than any topic is kept: who was away or idle goes on where it was, instead of anew.
        "offsets.retention.minutes": 45 * 24 * 60,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "message.max.bytes": 2 * 1024**2,
        "log.segment.bytes": 64 * 1024**2,
        "log.retention.check.interval.ms": 30_000,
    }


def _render(properties: dict[str, object]) -> str:
    return "".join(f"{name}={value}\n" for name, value in properties.items())
