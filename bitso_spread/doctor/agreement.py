"""Whether order book, ticker and feed say the same of a book. Pure.

The market moves between two questions, so a reply is compared with all that the feed said
around it, and whoever asks looks again before calling it a contradiction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bitso_spread.doctor.finding import Finding, failed, ok, skipped
from bitso_spread.doctor.transcript import Said
from bitso_spread.model import Quote


@dataclass(frozen=True, slots=True)
class Glance:
    """A best bid and ask by REST, with when it was asked for and when it came (monotonic)."""

    source: str
    quote: Quote
    sent: float
    received: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Who was compared, and who differs."""

    sources: tuple[str, ...]
    differs: str | None
    """None where all agree."""
    quote: Quote | None = None
    """The last one by REST."""


def compare(glances: Sequence[Glance], said: Sequence[Said], settle_s: float) -> Comparison:
    """Compare what REST says with all that stood around it by the feed.

    Without a feed, REST's replies are compared with each other.
    """
    sources = tuple(glance.source for glance in glances)
    quote = glances[-1].quote if glances else None
    spans = [
        (glance, standing(said, glance.sent - settle_s, glance.received + settle_s))
        for glance in glances
    ]
    if glances and all(stood for _, stood in spans):
        pairs = [(glance, stood[-1]) for glance, stood in spans if glance.quote not in stood]
        differs = [f"{_says(one.source, one.quote)}, {_says('feed', feed)}" for one, feed in pairs]
        return Comparison((*sources, "feed"), "; ".join(differs) or None, quote)
    prices = {glance.quote for glance in glances}
    texts = [_says(glance.source, glance.quote) for glance in glances]
    return Comparison(sources, ", ".join(texts) if len(prices) > 1 else None, quote)


def standing(said: Sequence[Said], since: float, until: float) -> list[Quote]:
    """Give what stood, by the feed, at some instant of a span; nothing if it began too late.

    Where the first frame falls into the span, what stood before it is not known.
    """
    before = [frame.quote for frame in said if frame.at <= since]
    if not before:
        return []
    return [before[-1], *(frame.quote for frame in said if since < frame.at <= until)]


def check_agreement(book: str, comparison: Comparison, looks: int) -> Finding:
    """Tell whether all that spoke of a book agree, after so many looks."""
    name = f"agreement {book}"
    sources = comparison.sources
    if comparison.differs is not None:
        again = f", in {looks} looks" if looks > 1 else ""
        return failed(name, comparison.differs + again, _ADVICE)
    if len(sources) < 2 or comparison.quote is None:
        return skipped(name, f"only {sources[0]} spoke of it" if sources else "nobody spoke of it")
    quote = comparison.quote
    who = f"{', '.join(sources[:-1])} and {sources[-1]}"
    return ok(name, f"{who} say bid {quote.bid.normalize():f}, ask {quote.ask.normalize():f}")


def check_others(comparisons: Mapping[str, Comparison], looks: int) -> Finding:
    """Tell in one line whether ticker and feed agree on many books."""
    name = "agreement of the others"
    compared = {book: each for book, each in comparisons.items() if len(each.sources) > 1}
    if wrong := {book: each.differs for book, each in compared.items() if each.differs}:
        book, differs = next(iter(wrong.items()))
        detail = f"not on {len(wrong)} of {len(compared)}, such as {book}: {differs}"
        return failed(name, f"{detail}, in {looks} looks", _ADVICE)
    if not compared:
        return skipped(name, f"the feed spoke of none of {len(comparisons)}")
    return ok(name, f"ticker and feed agree on {len(compared)} of {len(comparisons)}")


def _says(source: str, quote: Quote) -> str:
    return f"{source} says {quote.bid.normalize():f} / {quote.ask.normalize():f}"


_ADVICE = (
    "one of them is behind or wrong, and the recorder mixes them: run again, and if it stays, "
    "compare with bitso.com and do not trust the rows of this book"
)
