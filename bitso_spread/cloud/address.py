"""The URL of a lake in object storage. Strings only: nothing is asked of anybody here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from bitso_spread.errors import UsageError

Scheme = Literal["s3", "gs", "az"]

_SCHEMES = {"s3": "s3", "gs": "gs", "az": "az"}
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
# With a slash too few, it is a mistake, and no folder of that name.
_MEANT = re.compile(r"(s3|gs|az):", re.IGNORECASE)
# All three providers' rules together, but for rarities; what passes is for the provider to judge.
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{1,221}")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a lake is: a bucket, and a folder in it."""

    scheme: Scheme
    bucket: str
    """Azure calls it a container."""
    prefix: str = ""
    """Without slashes at its ends; empty for a bucket that is a lake as a whole."""

    def __str__(self) -> str:
        return "/".join(part for part in (f"{self.scheme}://{self.bucket}", self.prefix) if part)

    def of(self, key: str) -> str:
        """Give the URL of an object by its key in the lake."""
        return f"{self}/{key}" if key else str(self)


def is_url(text: str) -> bool:
    """Tell a URL, also a mistyped one, from the path of a folder."""
    return _URL.fullmatch(text) is not None or _MEANT.match(text) is not None


def parse(url: str) -> Address:
    """Read ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``az://container/prefix``.

    Raises:
        UsageError: it is not such a URL; what it has in place of a user's name or a query is not
            repeated, because it may be secret.
    """
    match = _URL.fullmatch(url.strip())
    scheme = _SCHEMES.get(match["scheme"].lower()) if match else None
    if match is None or scheme is None:
        shown = f"{match['scheme']}://" if match else repr(url)
        raise UsageError(
            f"{shown} is no lake: write a folder, s3://bucket/prefix, gs://bucket/prefix or "
            "az://container/prefix"
        )
    rest = match["rest"]
    if any(character in rest for character in "@?#"):
        raise UsageError(
            f"the URL of a lake is {scheme}://bucket/prefix and no more: credentials and options "
            "come from the provider's own environment variables and files"
        )
    bucket, _, path = rest.partition("/")
    prefix = path.strip("/")
    if not _BUCKET.fullmatch(bucket):
        what = "container" if scheme == "az" else "bucket"
        raise UsageError(f"{url.strip()!r} names no {what}: write {scheme}://{what}/prefix")
    if any(part in {"", ".", ".."} for part in prefix.split("/")) and prefix:
        raise UsageError(
            f"{url.strip()!r} has an empty, . or .. part: write {scheme}://{bucket}/a/b"
        )
    return Address(cast("Scheme", scheme), bucket, prefix)
