"""Everything that consumes and produces Kafka topics: ingest, processors, joins."""
