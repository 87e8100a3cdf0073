"""Which state of an object a put under a condition is to replace. Pure values.

S3 and Azure compare the etag. Google Cloud Storage compares the generation, a number that each put
counts anew, and tells it of an object that is put, fetched or looked at, but not in a list:
https://cloud.google.com/storage/docs/request-preconditions
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Version:
    """One state of an object."""

    etag: str | None
    """In quotes."""
    generation: str | None = None
    """Google's number; on S3, if the bucket keeps versions, the name of this one."""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Read it from what obstore tells of an object."""
        return cls(quoted(answer["e_tag"]), answer["version"])

    def as_condition(self) -> dict[str, str]:
        """Give what obstore is to compare; empty where the store tells states by nothing."""
        named = {"e_tag": self.etag, "version": self.generation}
        return {name: value for name, value in named.items() if value is not None}


def quoted(etag: str | None) -> str | None:
    """Write an etag as answers' headers have it: the lists of Azure and rclone leave quotes out."""
    return etag if etag is None or etag.endswith('"') else f'"{etag}"'
