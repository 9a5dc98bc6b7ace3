"""Documents of a log, each with its rule of spec/formats.cddl and its reader."""

from __future__ import annotations

from tests.support.spec_documents import Document, framed, value_of
from tests.support.statements import ADA, ED_KEY, P256_KEY, contents
from tests.support.witnessed_log import two_histories
from zkwm_protocols.cose.key_contents import binding_claim, succession
from zkwm_protocols.cose.statement import Content
from zkwm_protocols.transparency.equivocation import Equivocation


def log_documents() -> dict[str, Document]:
    """What a log and those who watch it write in CBOR, by name."""
    return {
        "evidence against a log": Document(
            "EquivocationFile",
            value_of(two_histories().to_bytes()),
            framed("equivocation", Equivocation.from_bytes),
        ),
        "succession": Document(
            "Succession", succession(ED_KEY.public.fingerprint(), P256_KEY.public)
        ),
        "binding claim": Document("BindingClaim", binding_claim(ED_KEY.public.fingerprint(), ADA)),
        **{
            f"statement {number}": _payload(content)
            for number, content in enumerate(contents(ED_KEY))
            if not content.HASHED
        },
    }


def _payload(content: Content) -> Document:
    """The payload of a statement, which is read with its subject."""
    kind = type(content)
    return Document(
        kind.__name__, content.to_payload(), lambda data: kind.from_payload(content.subject, data)
    )
