"""What a service may take, and how long its steps may last: each figure from a measurement."""

from __future__ import annotations

MEMORY_MB = 512
"""MB of memory. Measured: 90 for two books, 83 for 54 quiet ones with their files written, 113 for
54 at 1,000 frames a second; the rest is for rows that wait while a disk refuses, 404 bytes each:
five hours of 54 books."""

STOP_S = 60
"""Seconds between SIGTERM and SIGKILL. Measured: 3.7 for 54 books with 236 rows each in no file
yet; the journal and the files of a disk that refuses are given up after 20 each, and samples that
brokers do not take after 10."""

RESTART_S = 5
"""Seconds before a new start; the budget of requests outlives it, so that it costs no lock-out."""

CHECK_EVERY_S = 30
"""Seconds between two looks at `status`, which takes a third of a second."""

CHECK_S = 10
"""Seconds that a look may take, on a host that is busy."""

CHECKS = 3
"""Looks in a row that must fail, where failures are counted: a restart is not an illness."""

START_S = 90
"""Seconds in which a failed look does not count: `--max-wait` is 60, and an inheritance of a
crash is loaded first."""
