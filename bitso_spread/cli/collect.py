"""``bitso-spread collect``: the recorder."""

from __future__ import annotations

import gc
import math
import shlex
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.alert_options import (
    AlertCommandOption,
    AlertCooldownOption,
    AlertHoldOption,
    AlertOption,
    alert_plan,
    in_words,
)
from bitso_spread.cli.app import RECORD, app, settings
from bitso_spread.cli.logs import LogFormat, is_json, is_quiet, show_log, tell
from bitso_spread.cli.options import (
    ADVANCED,
    DEFAULT_BOOKS,
    BookOption,
    ColumnsOption,
    EnvironmentOption,
    LakeOption,
    RestUrlOption,
    TableOption,
    WsUrlOption,
    lake_name,
    lake_place,
)
from bitso_spread.cli.publish_option import PublishOption, publish_plan
from bitso_spread.cli.stdout import is_terminal
from bitso_spread.counting import many, word
from bitso_spread.errors import BitsoSpreadError, ExchangeError, UsageError
from bitso_spread.lake import layout
from bitso_spread.model import State

if TYPE_CHECKING:
    from bitso_spread.collector import Collector, Plan
    from bitso_spread.exchange.environment import Environment
    from bitso_spread.lake.heartbeat import StoreBeat
    from bitso_spread.metrics.server import MetricsServer


@app.command("collect", rich_help_panel=RECORD)
def collect(
    book: BookOption = None,
    environment: EnvironmentOption = "production",
    rest_url: RestUrlOption = None,
    ws_url: WsUrlOption = None,
    lake: LakeOption = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            envvar="BITSO_SPREAD_STATE",
            metavar="DIR",
            show_default="one of your own",
            help="With a lake in object storage: the folder for the journal, and for files until "
            "they are in the store.",
        ),
    ] = None,
    table: TableOption = layout.TABLE,
    format: Annotated[  # noqa: A002  (its environment variable is named after it)
        str, typer.Option("--format", metavar="FORMAT", help="Of the files: csv or parquet.")
    ] = "csv",
    columns: ColumnsOption = "five",
    interval: Annotated[
        int, typer.Option(metavar="SECONDS", help="Between ticks; must divide a day.")
    ] = 1,
    batch_size: Annotated[
        int, typer.Option(metavar="N", help="Ticks in a batch, which becomes one file.")
    ] = 600,
    batches: Annotated[
        int | None,
        typer.Option(metavar="N", show_default="no end", help="Stop after N batches' ticks."),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(metavar="D", show_default="no end", help="Stop after 90s, 10m or 1h."),
    ] = None,
    align: Annotated[
        bool,
        typer.Option("--align", help="Start batches on multiples of their length from midnight."),
    ] = False,
    refresh_after: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            rich_help_panel=ADVANCED,
            help="A book quiet for so long is asked for by REST.",
        ),
    ] = 60,
    max_wait: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            rich_help_panel=ADVANCED,
            help="How long the first data may take.",
        ),
    ] = 60,
    max_stale: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            rich_help_panel=ADVANCED,
            help="How long a last word stands without a live link.",
        ),
    ] = 3,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Where another collector has any of the books: stand by, record nothing, and take "
            "all of them over once it has ended.",
        ),
    ] = False,
    alert: AlertOption = None,
    alert_hold: AlertHoldOption = None,
    alert_cooldown: AlertCooldownOption = None,
    alert_command: AlertCommandOption = None,
    publish: PublishOption = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="PORT",
            show_default="none",
            rich_help_panel=ADVANCED,
            help="Serve Prometheus metrics on this port (extra: metrics).",
        ),
    ] = None,
    metrics_host: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            rich_help_panel=ADVANCED,
            help="Where: 0.0.0.0 in a container, to be reached at all.",
        ),
    ] = "127.0.0.1",
    log_format: Annotated[
        LogFormat,
        typer.Option(help="Of stderr: text, or a JSON object a line."),
    ] = LogFormat.TEXT,
) -> None:
    """Record the spread of books, one sample a second, into a lake.

    Runs until Ctrl-C or SIGTERM, or until --batches or --duration is over;
    all rows so far are loaded into the lake then. What a crash leaves
    behind, the next start loads. To upgrade without a gap, start the new
    version with --wait, and end the old one. With --lake s3://bucket/prefix
    finished files go there; while it is out of reach, they wait in --state.

    Example: bitso-spread collect -b btc_mxn,usd_mxn --lake data --format parquet
    """
    show_log(debug=settings.debug, log_format=log_format)
    from bitso_spread.cli.exchange import open_environment
    from bitso_spread.collector import Plan

    plan = Plan(
        books=book or DEFAULT_BOOKS,
        lake=lake_name(lake_place(lake, environment), table),
        state=None if state is None else layout.locate(state, table),
        table=table,
        format=format,
        columns=columns,
        interval=interval,
        batch_size=batch_size,
        ticks=_ticks(batches, duration, batch_size, interval),
        align=align,
        refresh_after_s=refresh_after,
        max_wait_s=max_wait,
        max_stale_s=max_stale,
        wait=wait,
        alerts=alert_plan(alert, alert_hold, alert_cooldown, alert_command),
        publish=publish_plan(publish),
    )
    tell(plan.folder if plan.store is None else f"{plan.store}, by way of {plan.folder}")
    if plan.alerts is not None:
        tell(in_words(plan.alerts))
    if plan.publish is not None and plan.publish.address is not None:
        tell(f"each sample is also sent to {plan.publish.address}")
    with open_environment(environment, rest_url, ws_url) as exchange:
        _run(exchange, plan, metrics_host, metrics_port)


def _ticks(batches: int | None, duration: str | None, batch_size: int, interval: int) -> int | None:
    from bitso_spread.cli.durations import parse_duration

    if batches is not None and batches < 1:
        raise UsageError("--batches must be above 0")
    limits = [] if batches is None else [batches * batch_size]
    if duration is not None:
        limits.append(math.ceil(parse_duration(duration) / max(interval, 1)))
    return min(limits, default=None)


def _run(exchange: Environment, plan: Plan, metrics_host: str, metrics_port: int | None) -> None:
    from bitso_spread.cli.board_terminal import has_screen
    from bitso_spread.cli.progress import Lines, Live
    from bitso_spread.cli.signals import ended_by_signals
    from bitso_spread.collector import Collector

    live = has_screen(sys.stderr) and not is_json() and not is_quiet()
    view = (Live if live else Lines)(
        paths=not is_terminal(sys.stdout), stored=plan.store is not None
    )
    collector = Collector(
        exchange,
        plan,
        on_tick=lambda tick: view.on_tick(tick, collector),
        on_file=view.on_file,
        on_object=view.on_object,
    )

    def stop() -> None:
        collector.stop()
        # What is said while the rows are loaded is to be read, and a second signal ends at once.
        view.end()

    metrics = _metrics(collector, metrics_host, metrics_port)
    # What is there by now stays: looking through all of it for garbage takes up to 50 ms, and a
    # tick may fall into them.
    gc.freeze()
    try:
        with ended_by_signals(stop), metrics, view.shown(collector):
            collector.run()
    except ExchangeError as error:
        if exchange.is_simulated:
            raise
        raise ExchangeError(
            f"{error}; for a look without a network: "
            "bitso-spread collect --environment sim --lake sim-lake"
        ) from error
    _report(collector, exchange)


def _metrics(
    collector: Collector, host: str, port: int | None
) -> AbstractContextManager[MetricsServer | None]:
    if port is None:
        return nullcontext()
    from bitso_spread.metrics.server import MetricsServer

    server = MetricsServer(collector, host, port)
    tell(f"metrics on http://{host}:{server.port}/metrics")
    return server


def _report(collector: Collector, exchange: Environment) -> None:
    """Say how many rows are where, how well it went, and what to type next."""
    summary, plan = collector.summary, collector.plan
    mark = "SIMULATED " if exchange.is_simulated else ""
    for book, states in sorted(summary.states.items()):
        unknown, missed = states[State.UNKNOWN], states[State.MISSED]
        rows = states.total()
        absent = summary.absent[book]
        without = f", {absent} of them without a row" if absent else ""
        tell(
            f"{book}: {rows} {mark}{word(rows, 'row')}, {rows - unknown - missed} known, "
            f"{unknown} unknown, {missed + absent} missed{without}",
            always=unknown + missed + absent > 0,
        )
    if not summary.states:
        tell("stopped before the first tick: nothing was recorded", always=True)
    late = summary.lateness
    if late.max_s:
        figures = [late.percentile(50), late.percentile(99), late.max_s]
        p50, p99, worst = (f"{seconds * 1000:.2f} ms" for seconds in figures)
        tell(f"lateness of ticks: p50 {p50}, p99 {p99}, max {worst}")
    if collector.alerting is not None and (lost := collector.alerting.undelivered):
        tell(f"alerts: {lost} could not be delivered, as the log says", always=True)
    if (publisher := collector.publisher) is not None:
        left, sent = publisher.now.waiting, publisher.published
        waits = f", {left} {'waits' if left == 1 else 'wait'} in the journal" if left else ""
        tell(f"{sent} {mark}{word(sent, 'sample')} published to {publisher.now.topic}{waits}")
    for line in _loaded(collector):
        tell(line)
    if summary.left.rows or summary.left.batches:
        gone = many(summary.left.rows, "row", ("is", "are"))
        kept = many(summary.left.batches, "batch", ("waits", "wait"))
        raise BitsoSpreadError(
            f"the disk refused to the end: {gone} lost, and {kept} in the journal for the next "
            "collection"
        )
    if collector.store is not None and collector.store.files:
        raise BitsoSpreadError(_left_here(collector.store, plan))
    if summary.states and summary.files:
        lake = shlex.quote(str(plan.lake))
        table = "" if plan.table == layout.TABLE else f" --table {shlex.quote(plan.table)}"
        where = layout.Partition.of(min(summary.states), summary.last_tick)
        tell(
            f"next: {_program()} query --lake {lake}{table} --date {where.date} --book {where.book}"
        )


def _loaded(collector: Collector) -> Iterator[str]:
    """Say how many files are where."""
    summary = collector.summary
    if collector.store is None:
        for folder, count in sorted(summary.files.items()):
            yield f"{many(count, 'file')} under {folder}"
    elif summary.uploaded:
        yield f"{many(summary.uploaded, 'file')} put into {collector.store.url}"


def _left_here(store: StoreBeat, plan: Plan) -> str:
    """Say what did not get into the store, why, and how it will."""
    why = f"{', '.join(store.unleased)} are another recorder's there" if store.unleased else ""
    reason = store.trouble or why or "the time was over"
    are, them = ("is", "it") if store.files == 1 else ("are", "them")
    return (
        f"{many(store.files, 'file', ('waits', 'wait'))} in {plan.folder} and {are} not in "
        f"{plan.store} yet ({reason}): the next collect with the same --lake and --state puts "
        f"{them} there"
    )


def _program() -> str:
    """Give what the person typed to start this program."""
    program = sys.argv[0]
    return "python -m bitso_spread" if program.endswith("__main__.py") else shlex.quote(program)
