"""Speed of the service: reads, streams, page, memory, fairness, and a peer's storage."""
