"""Rows of new views, folded from the retained batch log beside those that are served."""
