"""What a collection does about publishing as it begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bitso_spread.lake import layout
from bitso_spread.plan import Plan
from bitso_spread.publish.leftovers import drop_leftovers, tell_leftovers

if TYPE_CHECKING:
    from bitso_spread.publish.publisher import Publisher


def make_publisher(plan: Plan, books: Callable[[], Sequence[str]]) -> Publisher | None:
    """Give what publishes the samples of these books; None where nothing is to be published.

    Raises:
        UsageError: a property is refused.
        MissingExtraError: the extra `kafka` is missing.
    """
    if plan.publish is None or plan.publish.address is None:
        return None
    from bitso_spread.publish.publisher import Publisher  # noqa: PLC0415  (an extra)

    lake = layout.locate(plan.folder, plan.table)
    return Publisher(plan.publish.address, plan.publish.properties, lake, plan.table, books)


def see_to_leftovers(plan: Plan) -> None:
    """Drop what waits in the journal, if that is asked for; else say what waits for other topics.

    Raises:
        LakeError: the journal cannot be read, or written.
    """
    lake = layout.locate(plan.folder, plan.table)
    address = None if plan.publish is None else plan.publish.address
    if plan.publish is not None and address is None:
        drop_leftovers(lake, plan.table)
    else:
        tell_leftovers(lake, plan.table, None if address is None else address.topic)
