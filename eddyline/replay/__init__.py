"""Plays a real log through a running stack as it would have happened, and judges the answers."""
