"""A Bitso on loopback: REST and WebSocket, synthetic or replayed, with faults on request."""
