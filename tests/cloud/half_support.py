"""The local half of a lake in object storage, with finished files, and what the store has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from bitso_spread.backoff import Backoff
from bitso_spread.cloud.connect import Patience
from bitso_spread.cloud.keeper import LeaseKeeper
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.cloud.uploader import CAP_S, OnObject, Uploader
from bitso_spread.lake.journal import Batch
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.uploads import Uploads
from bitso_spread.lake.writer import BatchWriter
from bitso_spread.model import Sample
from tests.cloud.lease_support import AT_ONCE, Place
from tests.lake.support import table_rows


class FakeKeeper:
    """Leases as a test has them."""

    sure_until = 0.0
    losses = 0

    def __init__(self) -> None:
        self.without: set[str] = set()
        self.until: dict[str, int] = {}

    def may_put(self, book: str) -> bool:
        return book not in self.without

    def contested(self, book: str) -> int:
        return self.until.get(book, 0)


def finish(half: Path, *batches: tuple[Batch, Iterable[Sample]]) -> None:
    """Record batches into the local half, and make files of them."""
    with LakeState(state_file(half, TABLE)) as state:
        writer = BatchWriter(half, TABLE, state)
        for batch, rows in batches:
            state.record([(batch, row) for row in rows])
            writer.write(batch)


def an_uploader(
    s3: Place,
    half: Path,
    keeper: FakeKeeper | LeaseKeeper | None = None,
    on_object: OnObject = lambda *_: None,
    patience: Patience = AT_ONCE,
) -> Uploader:
    """An uploader whose steps a test takes."""
    uploader = Uploader(
        s3.store(patience=patience),
        half,
        TABLE,
        keeper or FakeKeeper(),  # type: ignore[arg-type]
        on_object=on_object,
        backoff=Backoff(cap_s=CAP_S, draw=lambda: 1.0),
    )
    uploader.take_on(["btc_mxn", "usd_mxn"])
    return uploader


def waiting(half: Path) -> list[str]:
    """Give the names of files that the journal says wait."""
    with Uploads(half, TABLE) as uploads:
        return [file.path.rpartition("/")[2] for file in uploads.waiting()]


def keys_in(store: ObjectStore) -> list[str]:
    """Give the keys of the table's files."""
    return [found.key for found in store.objects(TABLE)]


def rows_in(store: ObjectStore) -> Counter[tuple[int, str, float | None]]:
    """How often each row (tick, book, bid) is in the store. Whatever is no whole file fails."""
    with TemporaryDirectory() as folder:
        for key in keys_in(store):
            path = Path(folder, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(store.get(key))
        return table_rows(Path(folder))
