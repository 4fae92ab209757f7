"""Definitions of features, their state, and the online store that serves them."""
