"""Alerts: when a spread is wide, or nothing is known of a book, and who is told.

Rules and the state machine on them are pure (`rules`, `machine`); `alerting` runs them beside a
collection, `outbox`, `webhook` and `command` deliver what they say, `replay` runs them over a lake.
"""
