"""``bitso-spread collect``: the recorder."""

from __future__ import annotations

import gc
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import partial
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
from bitso_spread.cli.last_lines import report_end, report_end_at_once
from bitso_spread.cli.logs import LogFormat, is_json, is_quiet, show_log, tell
from bitso_spread.cli.options import (
    ADVANCED,
    DEFAULT_BOOKS,
    BookOption,
    EnvironmentOption,
    LakeOption,
    LocalHalfOption,
    RecordedColumnsOption,
    RestUrlOption,
    TableOption,
    WsUrlOption,
    lake_name,
    lake_place,
)
from bitso_spread.cli.publish_option import PublishOption, publish_plan
from bitso_spread.cli.stdout import is_terminal
from bitso_spread.errors import ExchangeError, UsageError
from bitso_spread.lake import layout

if TYPE_CHECKING:
    from bitso_spread.collector import Collector
    from bitso_spread.exchange.environment import Environment
    from bitso_spread.metrics.server import MetricsServer
    from bitso_spread.plan import Plan


@app.command("collect", rich_help_panel=RECORD)
def collect(
    book: BookOption = None,
    environment: EnvironmentOption = "production",
    rest_url: RestUrlOption = None,
    ws_url: WsUrlOption = None,
    lake: LakeOption = None,
    state: LocalHalfOption = None,
    table: TableOption = layout.TABLE,
    format: Annotated[  # noqa: A002  (its environment variable is named after it)
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            show_default="the table's own; csv",
            help="Of the files: csv or parquet.",
        ),
    ] = None,
    columns: RecordedColumnsOption = None,
    interval: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS",
            show_default="the table's own; 1",
            help="Between ticks; must divide a day.",
        ),
    ] = None,
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
    from bitso_spread.cli.durations import parse_duration
    from bitso_spread.cli.exchange import open_environment
    from bitso_spread.plan import Plan

    plan = Plan(
        books=book or DEFAULT_BOOKS,
        lake=lake_name(lake_place(lake, environment), table),
        state=None if state is None else layout.locate(state, table),
        table=table,
        format=format,
        columns=columns,
        interval=interval,
        batch_size=batch_size,
        ticks=_ticks(batches, batch_size),
        duration_s=None if duration is None else parse_duration(duration),
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


def _ticks(batches: int | None, batch_size: int) -> int | None:
    if batches is not None and batches < 1:
        raise UsageError("--batches must be above 0")
    return None if batches is None else batches * batch_size


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
        # What is said while the rows are loaded is to be read, and a later signal ends at once.
        view.end()

    metrics = _metrics(collector, metrics_host, metrics_port)
    # What is there by now stays: looking through all of it for garbage takes up to 50 ms, and a
    # tick may fall into them.
    gc.freeze()
    try:
        at_once = partial(report_end_at_once, collector)
        with ended_by_signals(stop, at_once), metrics, view.shown(collector):
            collector.run()
    except ExchangeError as error:
        if exchange.is_simulated:
            raise
        raise ExchangeError(
            f"{error}; for a look without a network: "
            "bitso-spread collect --environment sim --lake sim-lake"
        ) from error
    report_end(collector, exchange)


def _metrics(
    collector: Collector, host: str, port: int | None
) -> AbstractContextManager[MetricsServer | None]:
    if port is None:
        return nullcontext()
    from bitso_spread.metrics.server import MetricsServer

    server = MetricsServer(collector, host, port)
    tell(f"metrics on http://{host}:{server.port}/metrics")
    return server
