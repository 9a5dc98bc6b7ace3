"""Documents of a log, each with its rule of spec/formats.cddl and its reader."""

from __future__ import annotations

from tests.support.spec_documents import Document, framed, value_of
from tests.support.witnessed_log import two_histories
from zkwm_protocols.transparency.equivocation import Equivocation


def log_documents() -> dict[str, Document]:
    """What a log and those who watch it write in CBOR, by name."""
    return {
        "evidence against a log": Document(
            "EquivocationFile",
            value_of(two_histories().to_bytes()),
            framed("equivocation", Equivocation.from_bytes),
        ),
    }
