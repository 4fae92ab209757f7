"""What a ranking is made of: query, candidates as columns, the protocols of its stages, and the executor."""
