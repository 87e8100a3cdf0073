"""The objects of a lake in object storage: listed, read, and put under a condition.

Knows buckets and keys, and nothing of what is in them. An object is put whole or not at all, and
with its SHA-256 in its metadata, by which what is read is checked.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from bitso_spread.cloud.address import Address, parse
from bitso_spread.cloud.answers import BrokenOffError, is_of_bucket, told
from bitso_spread.cloud.background import submit
from bitso_spread.cloud.connect import PATIENT, Patience, connect
from bitso_spread.cloud.errors import (
    AbsentError,
    ChangedError,
    DamagedError,
    ExistsError,
    StoreError,
)
from bitso_spread.cloud.version import Version
from bitso_spread.waiting import result_of

if TYPE_CHECKING:
    from obstore import PutResult

    from bitso_spread.cloud.connect import Backend

T = TypeVar("T")

_SHA256 = "sha256"
# What all three providers give in one answer to a list request at least.
_PAGE = 1000
# One connection carries one request; a provider answers each in some 20 to 100 ms.
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Found:
    """An object as a list request tells of it."""

    key: str
    """In the lake, such as ``BitsoSpreadMonitor/date=20240725/…``."""
    size: int
    """In bytes."""
    etag: str | None
    """Another one with each change; in quotes."""
    modified: datetime | None
    """In UTC, by the store's clock."""
    generation: str | None = None
    """See `Version`; None where a list told of the object."""

    @property
    def version(self) -> Version:
        """Which state of the object it was, for a put under a condition."""
        return Version(self.etag, self.generation)


@dataclass(frozen=True, slots=True)
class Level:
    """What lies right under a prefix."""

    folders: tuple[str, ...]
    """Their names, in order; a folder is there as long as there is an object in it."""
    objects: tuple[Found, ...]
    """By their keys."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object with its bytes."""

    found: Found
    data: bytes
    sha256: str | None
    """In hex, of what was put there; None where somebody put it without."""

    @property
    def is_sound(self) -> bool:
        """Whether the bytes are those that were put there, as far as that can be told."""
        return self.sha256 in {None, hashlib.sha256(self.data).hexdigest()}


class ObjectStore:
    """The objects under a prefix of a bucket; safe to be used by several threads.

    Keys are relative to the prefix. Every method raises `UnreachableError` or `RefusedError`
    besides what it names. Ctrl-C ends each at once.
    """

    def __init__(self, address: Address, backend: Backend, patience: Patience = PATIENT) -> None:
        self.address = address
        self._backend = backend
        self._patience = patience
        self._lock = Lock()
        self._under_way: WeakSet[Future[Any]] = WeakSet()
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self.requests: Counter[str] = Counter()
        """How many were sent, by kind: ``list``, ``get``, ``head``, ``put`` and ``delete``; not
        counting how often one was sent again."""

    def __repr__(self) -> str:
        return f"ObjectStore({str(self.address)!r})"

    def url_of(self, key: str) -> str:
        """Give the URL of an object."""
        return self.address.of(key)

    def folders(self, prefix: str = "") -> list[str]:
        """Give the names of the folders right under a prefix, in order."""
        return [*self.level(prefix).folders]

    def level(self, prefix: str = "") -> Level:
        """Give the folders and objects right under a prefix: one request for each 1,000."""
        return _result(self.level_soon(prefix))

    def level_soon(self, prefix: str = "") -> Future[Level]:
        """Begin with `level`, without waiting for it."""
        return self._submit(self._level(prefix))

    def objects(self, prefix: str = "") -> list[Found]:
        """Give all objects under a prefix, at any depth, by key: one request for each 1,000."""
        return _result(self.objects_soon(prefix))

    def objects_soon(self, prefix: str = "") -> Future[list[Found]]:
        """Begin with `objects`, without waiting for it."""
        return self._submit(self._objects(prefix))

    def fetch(self, key: str) -> Fetched:
        """Give an object as it is, sound or not.

        Raises:
            AbsentError: there is none.
        """
        return _result(self._submit(self._fetch(key)))

    def get(self, key: str) -> bytes:
        """Give an object's bytes, checked by what was put with them.

        Raises:
            AbsentError: there is no such object.
            DamagedError: the bytes are others, twice.
        """
        return self.sound(_result(self.fetch_soon(key))).data

    def get_many(
        self, keys: Iterable[str], *, at_once: int = _AT_ONCE
    ) -> Generator[bytes, None, None]:
        """Give objects' bytes in the order of their keys, as `get` does.

        Up to `at_once` are asked for at a time, and no more than these are ahead of the caller.
        """
        for fetched in self.fetch_many(keys, at_once=at_once):
            yield self.sound(fetched).data

    def fetch_many(
        self, keys: Iterable[str], *, at_once: int = _AT_ONCE
    ) -> Generator[Fetched, None, None]:
        """Give objects as they are, likewise; one that is not sound has been asked for twice."""
        left = iter(keys)
        asked = deque(self.fetch_soon(key) for key in islice(left, at_once))
        try:
            while asked:
                fetched = _result(asked[0])
                asked.popleft()
                asked += (self.fetch_soon(key) for key in islice(left, 1))
                yield fetched
        finally:
            for future in asked:
                future.cancel()

    def sound(self, fetched: Fetched) -> Fetched:
        """Give what was fetched, if it is what was put there.

        Raises:
            DamagedError: its bytes are others.
        """
        if not fetched.is_sound:
            raise self.damaged(fetched.found.key)
        return fetched

    def damaged(self, key: str) -> DamagedError:
        """Make the error that says that an object's bytes are not those that were put there."""
        return DamagedError(
            f"{self.url_of(key)} has changed since it was written, its checksum says: restore it "
            "from a backup"
        )

    def fetch_soon(self, key: str) -> Future[Fetched]:
        """Begin with one of `fetch_many`, without waiting for it."""
        return self._submit(self._fetch_twice(key))

    def head(self, key: str) -> Found | None:
        """Tell of an object without its bytes; None if there is none."""
        try:
            return _found(_result(self._submit(self._ask("head", self._backend.head_async, key))))
        except AbsentError:
            return None

    def put_new(self, key: str, data: bytes) -> Version:
        """Put an object where there is none, with its SHA-256; give its version.

        Raises:
            ExistsError: there is one. Where an answer was lost it may be this very one: `fetch` it.
        """
        return self._put(key, data, "create")

    def replace(self, key: str, data: bytes, version: Version) -> Version:
        """Put another object in place of that version of it; give its own.

        Raises:
            ChangedError: there is another one by now, or none.
        """
        condition = version.as_condition()
        if not condition:
            raise StoreError(f"{self.address} gives its objects no etags, which puts must name")
        try:
            return self._put(key, data, condition)
        except ExistsError as error:
            # S3's 409: another put of it is under way.
            raise ChangedError(f"{self.url_of(key)} is being changed") from error

    def delete(self, key: str) -> None:
        """Delete an object, if there is one."""
        with suppress(AbsentError):
            _result(self._submit(self._ask("delete", self._backend.delete_async, key)))

    def give_up(self) -> None:
        """Wait for no answer any more; whoever does gets a `CancelledError`."""
        for future in [*self._under_way]:
            future.cancel()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        future = submit(work)
        self._under_way.add(future)
        return future

    def _put(self, key: str, data: bytes, mode: Any) -> Version:
        async def put(key: str) -> PutResult:
            attributes = {_SHA256: hashlib.sha256(data).hexdigest()}
            return await self._backend.put_async(
                key, data, mode=mode, attributes=attributes, use_multipart=False
            )

        return Version.of(_result(self._submit(self._ask("put", put, key))))

    async def _level(self, prefix: str) -> Level:
        answer = await self._list(self._backend.list_with_delimiter_async, prefix)
        names = sorted(path.rpartition("/")[2] for path in answer["common_prefixes"])
        objects = sorted((_found(meta) for meta in answer["objects"]), key=lambda each: each.key)
        self._count_pages(len(names) + len(objects))
        return Level(tuple(names), tuple(objects))

    async def _objects(self, prefix: str) -> list[Found]:
        async def collect(prefix: str | None) -> Sequence[Mapping[str, Any]]:
            return await self._backend.list(prefix).collect_async()

        metas = await self._list(collect, prefix)
        self._count_pages(len(metas))
        return sorted((_found(meta) for meta in metas), key=lambda each: each.key)

    async def _list(self, send: Callable[[str | None], Awaitable[T]], prefix: str) -> T:
        # obstore takes up again an object whose answer breaks off, and no list.
        for _ in range(self._patience.retries):
            with suppress(BrokenOffError):
                return await self._ask("list", lambda _: send(prefix or None), "")
        return await self._ask("list", lambda _: send(prefix or None), "")

    async def _fetch_twice(self, key: str) -> Fetched:
        fetched = await self._fetch(key)
        # It may have been hurt on the way.
        return fetched if fetched.is_sound else await self._fetch(key)

    async def _fetch(self, key: str) -> Fetched:
        async def fetch(key: str) -> Fetched:
            answer = await self._backend.get_async(key)
            found = _found(answer.meta)
            sha256 = answer.attributes.get(_SHA256)
            return Fetched(found, (await answer.bytes_async()).to_bytes(), sha256)

        return await self._ask("get", fetch, key)

    async def _ask(self, kind: str, send: Callable[[str], Awaitable[T]], key: str) -> T:
        from obstore.exceptions import (  # noqa: PLC0415
            AlreadyExistsError,
            BaseError,
            PreconditionError,
        )

        try:
            async with self._gate:
                with self._lock:
                    self.requests[kind] += 1
                return await send(key)
        except AlreadyExistsError as error:
            raise ExistsError(f"{self.url_of(key)} exists already") from error
        except PreconditionError as error:
            raise ChangedError(f"{self.url_of(key)} has changed meanwhile") from error
        except FileNotFoundError as error:
            if is_of_bucket(error):
                raise told(error, self.address) from error
            raise AbsentError(f"there is no {self.url_of(key)}") from error
        except (BaseError, OSError) as error:
            raise told(error, self.address) from error
        except ValueError as error:
            text = str(error).partition("\n")[0]
            raise StoreError(f"{self.url_of(key)} has no good name: {text}") from error

    def _count_pages(self, entries: int) -> None:
        with self._lock:
            self.requests["list"] += max(entries - 1, 0) // _PAGE


def open_store(url: str, *, patience: Patience = PATIENT) -> ObjectStore:
    """Open a lake in object storage by its URL; nothing is sent yet.

    Args:
        url: such as ``s3://bucket/prefix``; see `bitso_spread.cloud.address.parse`.
        patience: `PATIENT`, or `PROMPT` for a caller that tries again by itself.

    Raises:
        UsageError: it is no such URL.
        MissingExtraError: the extra ``cloud`` is not installed.
        RefusedError: there are no credentials; see `bitso_spread.cloud.connect`.
    """
    address = parse(url)
    return ObjectStore(address, connect(address, patience), patience)


def _result(future: Future[T]) -> T:
    """Wait for an answer; whoever stops waiting has no use for it."""
    try:
        return result_of(future)
    except BaseException:
        future.cancel()
        raise


def _found(meta: Mapping[str, Any]) -> Found:
    version = Version.of(meta)
    return Found(
        meta["path"], meta["size"], version.etag, meta["last_modified"], version.generation
    )
