"""Dead letters: reading them, and sending them to `events` again."""

from streams.deadletters.letters import DeadLetter, decode_dead_letter, read_dead_letters
from streams.deadletters.positions import KafkaPositions
from streams.deadletters.replay import Positions, Replayed, replay_dead_letters

__all__ = [
    "DeadLetter",
    "KafkaPositions",
    "Positions",
    "Replayed",
    "decode_dead_letter",
    "read_dead_letters",
    "replay_dead_letters",
]
