"""How the table of a collection is opened, and what the plan leaves to it is settled."""

from __future__ import annotations

import logging

from bitso_spread.exchange.environment import Environment
from bitso_spread.lake.journal import Identity
from bitso_spread.lake.table import Table
from bitso_spread.plan import OWN, Plan, SettledPlan

log = logging.getLogger("bitso_spread.collector")


def open_table(asked: Plan) -> tuple[Table, SettledPlan]:
    """Open the table that is asked for, and tell what is recorded into it.

    Raises:
        LakeError: it cannot be opened, or holds what this version cannot record.
    """
    table = Table(asked.folder, asked.table)
    try:
        held = table.identity()
        if (url := asked.store) is not None and asked.left_open - held.keys():
            from bitso_spread.cloud.remote import held_in_store  # noqa: PLC0415  (polars and an extra)

            held = {**held_in_store(url, table.name), **held}
        plan = asked.settled(held)
    except BaseException:
        table.close()
        raise
    new = asked.settled({})
    if own := [name for name in OWN if getattr(plan, name) != getattr(new, name)]:
        holds = ", ".join(f"{name} {getattr(plan, name)}" for name in own)
        log.info("recording as the table is: %s", holds)
    return table, plan


def identity_of(environment: Environment, plan: SettledPlan) -> Identity:
    """Give what the table is to hold, and nothing else."""
    # A simulated exchange has a port of this machine, and another one each time.
    hosts = f"{environment.budget_key} {environment.ws_url}"
    if environment.is_simulated:
        hosts = "simulated"
    return Identity(environment.name, hosts, plan.format, plan.columns, plan.interval)
