"""What a report says about an endpoint: how it was asked, and with whose account."""

from __future__ import annotations

from zkwm_protocols.suspect_identity import SuspectIdentity, SuspectKind

_PROTOCOLS = {
    "zkwm": "zkwm/query/v1",
    "kserve": "Open Inference Protocol (KServe v2)",
    "torchserve": "TorchServe",
    "huggingface": "Hugging Face inference",
    "template": "JSON template of the judge's",
}


def endpoint_facts(suspect: SuspectIdentity) -> tuple[tuple[str, str, bool], ...]:
    """Name, value, and whether it is a digest, of each fact; none for a file."""
    if suspect.kind != SuspectKind.HTTP:
        return ()
    template = suspect.template
    return (
        ("Protocol", _PROTOCOLS[suspect.adapter], False),
        *((("Template digest", template.hex(), True),) if template is not None else ()),
        ("Account", _account(suspect), False),
    )


def _account(suspect: SuspectIdentity) -> str:
    """With which headers an endpoint was asked: their names, never a value."""
    if suspect.account is None:
        return "none: asked without headers of an account"
    names = ", ".join(suspect.account.header_names)
    return (
        f"asked with the headers {names}: the answers are those of this account, which must be "
        "the judge's own, an ordinary customer's, and lent by no party"
    )
