"""What a collector has done, for Prometheus (extra `metrics`)."""
