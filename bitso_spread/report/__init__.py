"""A report of a lake: one HTML file that works without a network.

::

    from bitso_spread import Lake
    from bitso_spread.report import gather, page

    Path("report.html").write_text(page(gather(Lake("data"), date="yesterday")))

Summing up is `data`'s job, and how it looks is `page`'s. The charts are drawn in the browser by
uPlot, which lies in ``vendor`` as its author published it.
"""

from __future__ import annotations

from bitso_spread.report.data import BookReport, NothingToReportError, Report, gather
from bitso_spread.report.page import page

__all__ = ["BookReport", "NothingToReportError", "Report", "gather", "page"]
