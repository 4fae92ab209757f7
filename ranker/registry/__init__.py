"""Model versions on disk, aliases in Redis, and what the ranker should serve now."""
