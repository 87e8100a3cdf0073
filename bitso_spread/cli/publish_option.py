"""The option that says where samples are published, and what it comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bitso_spread.plan import PublishPlan

PublishOption = Annotated[
    str | None,
    typer.Option(
        "--publish",
        metavar="URL",
        show_default="nowhere",
        help="Also send each sample to kafka://broker:9092[,broker2:9092]/topic (extra: kafka); "
        "none drops what still waits to be sent. Passwords and TLS: in a file that "
        "BITSO_SPREAD_PUBLISH_PROPERTIES names.",
    ),
]


def publish_plan(publish: str | None) -> PublishPlan | None:
    """Give what the option, and the file that the environment names, mean.

    Raises:
        UsageError: one of them makes no sense.
    """
    from bitso_spread.plan import PublishPlan
    from bitso_spread.publish.address import parse_address
    from bitso_spread.publish.properties import find_properties

    if publish is None:
        return None
    if publish == "none":
        return PublishPlan(address=None)
    return PublishPlan(address=parse_address(publish), properties=find_properties())
