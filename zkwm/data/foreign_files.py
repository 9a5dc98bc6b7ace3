"""Files that are no images: what lies beside images without being one, and what a file is instead.

Both go by names and first bytes alone; nothing is parsed.
"""

from __future__ import annotations

from pathlib import Path

_OTHER_FORMATS = (  # magic bytes, at offset 0 or 4
    (b"GIF8", "a GIF file"),
    (b"II*\0", "a TIFF file"),
    (b"MM\0*", "a TIFF file"),
    (b"ftypavif", "an AVIF file"),
    (b"ftyphei", "a HEIC file"),
    (b"ftypmif1", "a HEIC file"),
    (b"\0\0\1\0", "an ICO file"),
    (b"\xff\x0a", "a JPEG XL file"),
    (b"JXL ", "a JPEG XL file"),
    (b"8BPS", "a Photoshop file"),
    (b"%PDF", "a PDF file"),
    (b"<svg", "an SVG file"),
    (b"<?xml", "an SVG or another XML file"),
    (b"PK\3\4", "a zip archive"),
    (b"zkwm-", "a file of zkwm's"),
)
_LITTER = ("thumbs.db", "ehthumbs.db", "desktop.ini", "license", "licence", "readme", "copying")
_LITTER_SUFFIXES = (".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".html")
_LITTER_FOLDERS = ("__macosx", "@eadir")


def is_litter(path: Path) -> bool:
    """Whether systems or archives put such a file beside images: its name alone says so.

    Hidden files, Thumbs.db, LICENSE, README, labels.csv and other files of text; no image has such
    a name, so that none is left out unnoticed.
    """
    name = path.name.lower()
    if name.startswith(".") or name in _LITTER_FOLDERS:
        return True
    return not path.is_dir() and (name in _LITTER or name.endswith(_LITTER_SUFFIXES))


def kind_of(data: bytes) -> str:
    """What a file is that could not be read as an image, for a message, by its first bytes."""
    start = data[:64].lstrip()
    for magic, name in _OTHER_FORMATS:
        if start.startswith(magic) or data[4 : 4 + len(magic)] == magic:
            return f"{name}, not an image that is read"
    return "not an intact image"
