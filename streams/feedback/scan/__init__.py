"""Scans a log of exposures from anywhere: concentration, its trend, off-policy values."""
