"""Training sets as files: made of what was served and seen, or of somebody else's log."""
