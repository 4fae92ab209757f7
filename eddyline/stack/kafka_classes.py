"""Writes the archive of the broker's classes: ``python -m eddyline.stack.kafka_classes``."""

import random
import tempfile
from dataclasses import replace
from pathlib import Path

from eddyline.stack.background import running
from eddyline.stack.kafka import kafka
from eddyline.stack.parts import Parts
from eddyline.stack.ports import Ports
from eddyline.stack.process import Process
from eddyline.stack.settings import StackSettings

_WRITTEN_WITHIN_S = 120.0


def main() -> None:
    """Start a broker once, and have Java write down what it loaded when it ends."""
    settings = StackSettings()
    parts = Parts(settings.parts)
    parts.kafka_classes.parent.mkdir(parents=True, exist_ok=True)
    parts.kafka_classes.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="eddyline-classes-") as folder:
        home = Path(folder)
        ports = Ports(home / "ports.json", {}, random.SystemRandom())
        *tasks, broker = kafka(settings, parts, home, ports["kafka"], ports["kafka_controller"])
        with running([*tasks, _archiving(broker, parts.kafka_classes)], home / "logs"):
            pass


def _archiving(broker: Process, archive: Path) -> Process:
    program, *arguments = broker.argv()
    argv = [program, f"-XX:ArchiveClassesAtExit={archive}", *arguments]
    return replace(broker, argv=lambda: argv, stop_grace_s=_WRITTEN_WITHIN_S)


if __name__ == "__main__":
    main()
