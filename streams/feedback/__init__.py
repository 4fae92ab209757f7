"""Detectors of hidden feedback loops: what the ranker decides must not come back to it unseen."""
