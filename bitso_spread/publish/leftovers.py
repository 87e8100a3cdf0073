"""Samples that wait in the journal for a topic to which nobody publishes now.

They are never dropped but on a word of the user's, and nothing is added to them.
"""

from __future__ import annotations

import logging
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from bitso_spread.counting import many
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.outgoing import Outgoing

log = logging.getLogger("bitso_spread.publish")


def tell_leftovers(lake: Path, table: str, topic: str | None) -> None:
    """Say what waits for other topics than this one.

    Raises:
        LakeError: the journal cannot be read.
    """
    try:
        with Outgoing(layout.state_file(lake, table)) as journal:
            # What waits for this one may be millions of rows, which take seconds to count.
            others = [each for each in journal.topics() if each != topic]
            waiting = [found for each in others if (found := journal.waiting(each))]
    except sqlite3.Error as error:
        raise LakeError(f"cannot read the journal of {lake}: {error}") from error
    for each in waiting:
        since = f"{datetime.fromtimestamp(each.first_tick, UTC):%Y-%m-%dT%H:%M:%SZ}"
        log.warning(
            "%s since %s for topic %s: to be sent by a collection with "
            "--publish kafka://…/%s, or dropped by one with --publish none",
            *(many(each.rows, "sample", ("waits", "wait")), since, each.topic, each.topic),
        )


def drop_leftovers(lake: Path, table: str) -> None:
    """Drop what waits, but for the books of a topic that another collector publishes now.

    Raises:
        LakeError: the journal cannot be written.
    """
    try:
        with Outgoing(layout.state_file(lake, table)) as journal:
            for topic in journal.topics():
                folder = layout.publishing_locks_folder(lake, table, topic)
                with BookLocks(folder) as locks:
                    free = [book for book in journal.books(topic) if locks.try_acquire(book)]
                    dropped = sum(journal.drop(topic, book) for book in free)
                waited = f"that waited for topic {topic}"
                verbs = f"{waited} is dropped", f"{waited} are dropped"
                log.warning("%s; the lake has them", many(dropped, "sample", verbs))
    except sqlite3.Error as error:
        raise LakeError(f"cannot write into {lake}: {error}") from error
