"""Rows that others recorded, brought into a lake; `importer` tells in what order."""

from __future__ import annotations

from bitso_spread.lake.importing.importer import import_rows
from bitso_spread.lake.importing.outcome import Imported

__all__ = ["Imported", "import_rows"]
