"""Two Airflow DAGs: a batch every ten minutes, and what is done with each day once it is over.

Written for Airflow 3 with its standard provider. Every command is a Python list in the DAG's text,
quoted for the shell when it runs and kept from Jinja by `literal`; the day comes as a variable of
the environment, as the BashOperator's documentation asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from textwrap import fill

from bitso_spread import __version__
from bitso_spread.counting import many
from bitso_spread.errors import UsageError
from bitso_spread.lake import layout
from bitso_spread.service.recording import LAKE, STATE, Recording, absolute

REPORTS = f"{STATE}/reports"
"""Where the daily reports go if no folder is named."""

# Airflow takes letters, digits, dashes, dots and underscores, 250 of them.
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_.-]")
_ID_LENGTH = 200
_MINUTE_S = 60
_HOUR_S = 3_600
_SPARE_S = 60

_DAGS = '''\
"""Bitso's bid-ask spread: an aligned batch every {minutes}, and each day's keeping.

Made by bitso-spread {version} for Airflow 3. Put it into the folder of the DAGs; both begin paused.

{needs}

A standing service (`bitso-spread service systemd`, `docker` or `compose`) records better than
the DAG of batches: it never connects anew, depends on no scheduler, and makes one file of a book a
batch, where runs that follow on each other share one out between two. Where one records, leave that
DAG paused: it could only stand by.
"""

import shlex
from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, CronTriggerTimetable, literal

PROGRAM = {program}
LAKE = [
{lake}
]
COLLECT = [
{collect}
]
REPORTS = {reports}
{journal}

def command(*words: str) -> str:
    return shlex.join([PROGRAM, *words])


# With --wait a run that begins before the one before it has ended stands by, connected, and takes
# over at its last tick. The first run, which finds nobody recording, takes a minute more than a
# batch, so that each one after it has that minute to begin in: no second is lost between two of
# them unless one begins more than a minute late, and then the overlap grows by itself.
BATCH = f"""
if {{command("status", *LAKE)}} >/dev/null 2>&1
then exec {{command("collect", *COLLECT, "--batches", "1")}}
else exec {{command("collect", *COLLECT, "--duration", "{first_s}s")}}
fi
"""

with DAG(
    dag_id="bitso_spread_batches{apart}",
    description="{mark}Bitso spreads, a batch every {minutes}",
    schedule=CronTriggerTimetable("{cron}", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    # One records, one stands by, and one may still load its last rows.
    max_active_runs=3,
    tags=["bitso-spread"],
):
    BashOperator(
        task_id="collect",
        bash_command=literal(BATCH),
        retries=3,
        retry_delay=timedelta(seconds=10),
        # Standing by takes up to a batch, and recording one more.
        execution_timeout=timedelta(seconds={limit_s}),
    )

# The interval of a run at 00:20 begins on the day before, whenever it is run again.
YESTERDAY = {{"DAY": "{{{{ data_interval_start | ds_nodash }}}}"}}

with DAG(
    dag_id="bitso_spread_daily{apart}",
    description="{mark}Bitso spreads, yesterday compacted, verified and reported",
    schedule=CronDataIntervalTimetable("20 0 * * *", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={{"retries": 2, "retry_delay": timedelta(minutes=5)}},
    tags=["bitso-spread"],
):
    compact = BashOperator(
        task_id="compact",
        bash_command=literal(f'exec {{command("compact", *LAKE)}} --date "$DAY"'),
        env=YESTERDAY,
        append_env=True,
    )
    verify = BashOperator(
        task_id="verify",
        bash_command=literal(
            f'{look}exec {{command("verify", *LAKE)}} '
            '--max-missing {max_missing} --date "$DAY"{found}'
        ),
        env=YESTERDAY,
        append_env=True,
        # What is missing stays missing.
        retries=0,
    )
    report = BashOperator(
        task_id="report",
        bash_command=literal(
            f"{look}mkdir -p {{shlex.quote(REPORTS)}} && exec {{command('report', *LAKE)}} "
            f'--date "$DAY" --output {{shlex.quote(REPORTS)}}/"$DAY".html{found}'
        ),
        env=YESTERDAY,
        append_env=True,
    )
    compact >> [verify, report]
'''

_JOURNAL = """
# Why seconds are missing, and which files are gone, is known to the recorder's folder: it is asked
# where it is this worker's. Where another host records, verify and report do without it.
STATE = {state}
JOURNAL = f"[ -w {{shlex.quote(STATE)}} ] && set -- --state {{shlex.quote(STATE)}}\\n"
"""


def dags(recording: Recording, *, program: str, reports: str, max_missing: int) -> str:
    """Give the text of a Python file with both DAGs.

    `max_missing` is how many seconds of a day may not be known before its check fails; `program`
    and `reports` are paths on the worker.

    Raises:
        UsageError: a path is relative or cannot be written, an option says what the DAG does by
            itself, or batches do not fit into the hour.
    """
    if recording.metrics_port is not None:
        raise UsageError("runs overlap, and a port has room for one: leave --metrics-port out")
    lake = recording.host_lake
    kept_apart = recording.store is not None
    collect = [pair for pair in recording.arguments(lake) if pair[0] not in {"--align", "--wait"}]
    return _DAGS.format(
        version=__version__,
        mark=recording.mark,
        program=repr(absolute(program, "--program")),
        apart=_apart(recording.store or lake, recording.table),
        lake=_words(recording.whose(recording.store or lake)),
        collect=_words([*collect, ("--align",), ("--wait",)]),
        reports=repr(absolute(reports, "--reports")),
        minutes=many(recording.batch_s // _MINUTE_S, "minute").removeprefix("1 "),
        needs=_needs(recording),
        journal=_JOURNAL.format(state=repr(lake)) if kept_apart else "",
        look="{JOURNAL}" if kept_apart else "",
        found=' "$@"' if kept_apart else "",
        cron=_cron(recording.batch_s),
        first_s=recording.batch_s + _SPARE_S,
        limit_s=2 * recording.batch_s + 5 * _SPARE_S,
        max_missing=max_missing,
    )


def _apart(lake: str, table: str) -> str:
    """Give what tells these DAGs from those of other lakes and tables; of the usual ones, nothing.

    Of two files with the same ``dag_id`` Airflow shows one.
    """
    place = lake.rstrip("/").removesuffix(f"/{table}")
    parts = [] if place == LAKE else [place.lstrip("/").replace("://", "--").replace("/", ".")]
    if table != layout.TABLE:
        parts.append(table)
    text = "".join(f"--{part}" for part in parts)
    plain = _NOT_IN_IDS.sub("_", text)[:_ID_LENGTH]
    if plain != text or "." in place:
        # Another name may look the same.
        plain += f"--{sha256(f'{place} {table}'.encode()).hexdigest()[:8]}"
    return plain


def _needs(recording: Recording) -> str:
    """Give the paragraph that says what a worker must have."""
    extras = ",".join(sorted({*recording.extras, "report"}))
    folder = "the lake" if recording.store is None else "the folder of --state"
    needs = (
        f"The worker that runs these tasks has bitso-spread[{extras}], and {folder} on a disk. "
        "Secrets (BITSO_API_KEY, BITSO_API_SECRET, BITSO_SPREAD_ALERT_WEBHOOK) come from its "
        "environment."
    )
    if recording.store is not None:
        needs += " So do the store's credentials, such as AWS_ACCESS_KEY_ID."
    if recording.publishes:
        needs += " So does the name of the file with Kafka's user, password and TLS."
    return fill(needs, width=99)


def _words(arguments: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"    {', '.join(map(repr, each))}," for each in arguments)


def _cron(batch_s: int) -> str:
    """Give the times at which batches of this length begin."""
    if batch_s == _HOUR_S:
        return "0 * * * *"
    if batch_s % _MINUTE_S or _HOUR_S % batch_s:
        raise UsageError(
            f"a batch of {batch_s} s cannot be scheduled: --batch-size times --interval must be "
            "whole minutes that divide an hour, such as 600 s"
        )
    minutes = batch_s // _MINUTE_S
    return "* * * * *" if minutes == 1 else f"*/{minutes} * * * *"
