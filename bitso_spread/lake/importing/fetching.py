"""Sources in object storage: copied to the disk as a whole, for as long as an import reads them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bitso_spread.cloud.address import is_url
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.copies import Copies
from bitso_spread.lake.shown import copies, no_copies


@contextmanager
def on_disk(sources: Iterable[Path | str]) -> Iterator[list[Path | str]]:
    """Give the sources as paths: a URL's objects are copied to a temporary folder.

    The space that takes is that of the data files under the URL; ``TMPDIR`` says where.

    Raises:
        UsageError, MissingExtraError, StoreError: as `bitso_spread.cloud.objects.open_store`.
        LakeError: there is no data file under a URL, or no space for it.
    """
    with ExitStack() as stack:
        yield [
            stack.enter_context(_copied(str(source))) if is_url(str(source)) else source
            for source in sources
        ]


@contextmanager
def _copied(url: str) -> Iterator[Path]:
    from bitso_spread.cloud.objects import open_store  # noqa: PLC0415

    store = open_store(url)
    keys = [found.key for found in store.objects() if _is_data(found.key)]
    if not keys:
        raise LakeError(f"there is nothing to import in {store.address}: no .csv or .parquet file")
    try:
        folder = Path(tempfile.mkdtemp(prefix="bitso-spread-"))
    except OSError as error:
        raise LakeError(
            f"there is no folder for what is imported ({error.strerror}): set TMPDIR to one"
        ) from error
    copies(folder, str(store.address))
    try:
        there = Copies(folder)
        with there.pinned(keys):
            for fetched in store.fetch_many(keys):
                there.put(store.sound(fetched))
            yield folder
    finally:
        no_copies(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _is_data(key: str) -> bool:
    *folders, name = key.split("/")
    return layout.is_data_file(name) and not any(part.startswith(("_", ".")) for part in folders)
