"""Simulated users: tastes that nobody tells the ranker, behaviour that it can learn from."""

from streams.simulator.crowd import Crowd, Visits
from streams.simulator.mishaps import mishaps
from streams.simulator.world import World

__all__ = ["Crowd", "Visits", "World", "mishaps"]
