"""What is a decision, not a measurement: the worth of each head, and what each surface wants. As data."""
