"""Randomisation that we log ourselves: nudges, exploration, a holdout, deploy times. Off unless set."""
