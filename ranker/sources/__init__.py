"""Find candidates when the caller names none."""
