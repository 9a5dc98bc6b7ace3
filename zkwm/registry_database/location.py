"""Where the database of a marketplace or registry lies: a folder, a file, or a server's URL.

A URL may hold a password. It is read here once; every message shows the label, which has none.
"""

from __future__ import annotations

import re
from pathlib import Path

from zkwm.extras import require
from zkwm.sql_database import DatabaseLocation, file_location, server_location
from zkwm_protocols.errors import Unsupported, UsageError

FILE_NAME = "marketplace.sqlite"
_FILE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+]*)://")
_SERVERS = ("postgresql", "postgresql+psycopg", "postgres")
_FORMS = "give a folder, an .sqlite file, or postgresql://USER:PASSWORD@HOST/DATABASE"


def find_location(location: str | Path) -> DatabaseLocation:
    """The database at a folder, a file or a URL; folders are made.

    Raises UsageError for a location that is none of these, or whose folder cannot be made,
    Unsupported for a folder of an earlier version.
    """
    scheme = _SCHEME.match(location) if isinstance(location, str) else None
    if scheme is None:
        return _file(Path(location))
    if scheme[1].lower() == "sqlite":
        name = str(location)[len("sqlite://") :]
        if len(name) < 2 or not name.startswith("/") or "?" in name:
            raise UsageError("the URL of SQLite names a file: sqlite:///market.sqlite", hint=_FORMS)
        return _file(Path(name[1:]))
    if scheme[1].lower() not in _SERVERS:
        raise UsageError(
            f"a marketplace is kept by SQLite or PostgreSQL, not by {scheme[1][:20]}", hint=_FORMS
        )
    require("psycopg")
    return server_location(str(location), "the marketplace's")


def _file(path: Path) -> DatabaseLocation:
    """A file of SQLite, in its folder. Raises UsageError."""
    try:
        if not path.is_file() and path.suffix.lower() not in _FILE_SUFFIXES:
            _refuse_earlier(path)
            path.mkdir(parents=True, exist_ok=True)
            path = path / FILE_NAME
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
        return file_location(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable file name"
        raise UsageError(
            f"cannot keep a marketplace in {str(path)[:500]!r}: {reason}", hint=_FORMS
        ) from None


def _refuse_earlier(folder: Path) -> None:
    """Raise Unsupported for a folder of files, as zkwm kept marketplaces before it had tables."""
    if (folder / "challenges").is_dir() and not (folder / FILE_NAME).exists():
        raise Unsupported(
            f"{folder} is a marketplace of an earlier zkwm, which kept files",
            hint="begin in a new folder, and register its commitments again",
        )
