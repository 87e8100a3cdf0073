"""What books the simulated exchange knows, and the limits of each.

Names, ticks and limits follow what is publicly known of Bitso (the sources are named at the
table); typical prices are of mid-2024. How a book moves is the market's job.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from decimal import Decimal

_MAXIMUM_VALUE = Decimal(10_000_000)


def decimal_text(units: int, decimals: int, *, padded: bool = False) -> str:
    """Write a scaled integer as Bitso does: plain digits, trailing zeros kept or stripped."""
    if not decimals:
        return str(units)
    whole, fraction = divmod(units, 10**decimals)
    digits = f"{fraction:0{decimals}d}"
    if not padded:
        digits = digits.rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def plain(value: Decimal) -> str:
    """Write a decimal without exponent and without trailing zeros."""
    return f"{value.normalize():f}"


@dataclass(frozen=True, slots=True)
class BookSpec:
    """A book and its limits, as `available_books` shows them. Prices are in the minor currency."""

    book: str
    tick: Decimal
    """Every price is a whole multiple of it."""
    price: Decimal
    """Where the book's prices lie: a synthetic market starts near it and stays around it."""

    @property
    def decimals(self) -> int:
        """How many decimals a price has at most."""
        exponent = self.tick.normalize().as_tuple().exponent
        return max(0, -int(exponent))

    def ticks(self, price: Decimal) -> int:
        """Give a price in whole ticks, to the nearest one."""
        return round(price / self.tick)

    def price_text(self, ticks: int) -> str:
        """Write a price of so many ticks as the exchange does, such as ``1233830``."""
        return decimal_text(ticks * int(self.tick.scaleb(self.decimals)), self.decimals)

    @property
    def minimum_value(self) -> Decimal:
        """The smallest order, in the minor currency."""
        return Decimal(5) if self.book.endswith("_mxn") else Decimal("0.50000")

    @property
    def limits(self) -> dict[str, str]:
        """All limits of the book by their names in `available_books`."""
        step = Decimal(1).scaleb((self.minimum_value / self.price).adjusted())
        return {
            "minimum_amount": f"{step:f}",
            "maximum_amount": plain(_MAXIMUM_VALUE // self.price + 1),
            "minimum_price": plain((self.price / 100).quantize(self.tick) + self.tick),
            "maximum_price": plain((self.price * 10).quantize(self.tick)),
            "minimum_value": f"{self.minimum_value:f}",
            "maximum_value": plain(_MAXIMUM_VALUE),
            "tick_size": plain(self.tick),
        }


# Names seen in public sources between 2021 and 2026. The ticks of btc_mxn and usd_mxn are
# what all their prices of 2024 are multiples of; btc_usd, eth_usd, ltc_usd and xrp_usdt are
# ccxt's copy of available_books; the others are guesses of a like size.
_KNOWN = {
    "btc_mxn": ("10", "1233830"),
    "usd_mxn": ("0.001", "18.35"),
    "eth_mxn": ("1", "58400"),
    "xrp_mxn": ("0.001", "11.05"),
    "sol_mxn": ("0.1", "3190"),
    "ltc_mxn": ("0.1", "1310"),
    "usdt_mxn": ("0.001", "18.36"),
    "btc_usd": ("1", "67210"),
    "eth_usd": ("0.1", "3180.5"),
    "sol_usd": ("0.01", "173.8"),
    "xrp_usd": ("0.00001", "0.6017"),
    "ltc_usd": ("0.001", "71.34"),
    "ada_usd": ("0.00001", "0.4081"),
    "shib_usd": ("0.0000000001", "0.00001712"),
    "bar_usd": ("0.0001", "2.235"),
    "enj_usd": ("0.00001", "0.1742"),
    "btc_usdt": ("1", "67230"),
    "eth_usdt": ("0.1", "3181.2"),
    "sol_usdt": ("0.01", "173.9"),
    "xrp_usdt": ("0.00001", "0.6019"),
    "usd_usdt": ("0.0001", "1.0002"),
    "btc_brl": ("1", "380150"),
    "brl1_brl": ("0.0001", "1.0004"),
    "btc_ars": ("1000", "91250000"),
    "dai_ars": ("0.01", "1357.5"),
    "btc_usds": ("1", "67205"),
    "mana_mxn": ("0.0001", "6.214"),
    "bat_mxn": ("0.0001", "3.305"),
    "tusd_mxn": ("0.001", "18.37"),
    "dai_mxn": ("0.001", "18.34"),
    "pyusd_mxn": ("0.001", "18.35"),
}


def spec_of(book: str) -> BookSpec:
    """Give the spec of a book; one that is not known gets a price of its own, by its name."""
    if book in _KNOWN:
        tick, price = _KNOWN[book]
        return BookSpec(book, Decimal(tick), Decimal(price))
    number = zlib.crc32(book.encode())
    # Five digits of price, so that a tick is at most 0.01 % of it.
    return BookSpec(book, Decimal("0.001"), Decimal(10_000 + number % 90_000).scaleb(-3))


def catalogue(count: int) -> list[str]:
    """Name so many books: those that Bitso has or had, then invented ones."""
    invented = (f"sim{number:03d}_mxn" for number in range(1, count - len(_KNOWN) + 1))
    return [*_KNOWN, *invented][:count]
