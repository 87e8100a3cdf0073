"""A report as one page of HTML that fetches nothing: template, style, scripts and data in one file.

What it tells is `data`'s job, and what the charts are drawn from `charts`'s. Jinja escapes all
text, and the page's own policy lets only this script run and nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitso_spread import __version__
from bitso_spread.errors import MissingExtraError
from bitso_spread.lake import layout
from bitso_spread.report import words
from bitso_spread.report.alerts import alert_list
from bitso_spread.report.charts import charts
from bitso_spread.report.data import Report
from bitso_spread.report.heat import heat_map
from bitso_spread.report.histogram import histogram

if TYPE_CHECKING:
    from jinja2 import Environment

_FILES = resources.files("bitso_spread.report")
# More books than these make a list that nobody reads in a title.
_NAMED = 4


def page(report: Report, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """Give the page.

    Args:
        report: what it tells.
        now: the time that it says it was made at.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    from markupsafe import Markup  # noqa: PLC0415  (of an extra, which may be missing)

    template = _environment().get_template("page.html.jinja")
    script = _text("vendor/uPlot.iife.min.js") + _text("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    places = words.places(book.statistics.get("mean") for book in report.books)
    span = report.grid.step if report.grid.step != report.grid.interval else None
    alerts = report.alerts
    return template.render(
        report=report,
        # Not its path: whoever is sent the page need not know where it was made.
        lake=Path(report.lake).name,
        title=_title(report),
        marks=marks_of(report.environments),
        period=words.times([report.grid.first, report.grid.end], report.tz),
        span=None if span is None else words.length(span),
        ticks="seconds" if report.grid.interval == 1 else f"ticks of {report.grid.interval} s",
        places=places,
        columns=words.STATISTICS,
        above=[(limit, f"above_{limit:g}") for limit in report.thresholds],
        alerts=None if alerts is None else alert_list(alerts, report.tz, report.begins),
        heats=[heat_map(book, len(report.books)) for book in report.books],
        histograms=[histogram(book.bins) for book in report.books],
        data=charts(report),
        made_at=f"{now():%Y-%m-%d %H:%M} UTC",
        version=__version__,
        # Our own files, whose digest the page's policy names.
        script=Markup(script),  # noqa: S704  (no text from elsewhere)
        style=Markup(_text("vendor/uPlot.min.css") + _text("page.css")),  # noqa: S704  (likewise)
        digest=digest,
    )


def marks_of(environments: tuple[str, ...]) -> list[str]:
    """Give what stands across the top: a line for each environment but production."""
    simulated = "SIMULATED: rows are of the simulated exchange"
    return [
        simulated
        if environment == layout.SIMULATED
        else f"{environment}: rows were recorded from there, not from production"
        for environment in environments
        if environment != layout.PRODUCTION
    ]


def check_installed() -> None:
    """Check that there is all that a page is made with, before anything is summed up.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    _environment()


def _environment() -> Environment:
    try:
        import jinja2  # noqa: PLC0415  (an extra, which may be missing)
    except ImportError:
        raise MissingExtraError("report", "report") from None
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "percent": words.percent,
        "count": words.count,
        "share": words.share,
    }
    environment.filters |= filters
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment


def _text(name: str) -> str:
    return _FILES.joinpath(name).read_text(encoding="utf-8")


def _title(report: Report) -> str:
    names = [book.book for book in report.books]
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} books"
