"""The ranker as a process: HTTP and Kafka front doors over one pipeline."""
