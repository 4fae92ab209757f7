"""The features that we ship, as data (`*.toml`), and how they come about (`lineage`)."""
