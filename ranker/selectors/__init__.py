"""Order candidates and say with which probability each stands where it does."""
