"""What a commitment, and whom a judge trusts to date it, say without a secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from zkwm.judge.dating import read_dates
from zkwm.written_dates import interval_values
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import TrustMaterialMissing
from zkwm_protocols.trust import Trust

Reading = tuple[dict[str, Any], dict[str, Callable[[], object] | None], str]
"""Fields of a file as JSON values, the checks that can be made, and how the rest is checked."""


def commitment_fields(data: bytes, trust: Trust | None = None) -> Reading:
    """Root and signatures can be checked, and timestamps by whom the reader trusts."""
    commitment = Commitment.from_bytes(data)
    header = commitment.header
    existed = None if trust is None else read_dates(commitment, trust)[0].existed
    fields = {
        "digest": commitment.digest.hex(),
        "leaves": header.kind,
        "triggers": header.leaf_count,
        "block_size": header.block_size,
        "blocks": header.block_count,
        "classes": header.class_count,
        "class_names": None if commitment.class_names is None else list(commitment.class_names),
        "shape": list(header.shape),
        "label_mode": header.label_mode,
        "owner_keys": [key.fingerprint() for key in header.owner_keys],
        "owner_model": _hex(header.owner_model),
        "probe_data": _hex(header.probe_data),
        "timestamp_authority": _hex(header.timestamp_authority),
        "timestamps": len(commitment.timestamps),
        "existed_by": interval_values(existed),
        "log_proofs": len(commitment.log_proofs),
        "root": header.root.hex(),
    }
    tests: dict[str, Callable[[], object] | None] = {
        "commitment.root": commitment.verify_root,
        "commitment.class_names": commitment.verify_class_names,
        "commitment.signature": commitment.verify_signatures,
        "commitment.timestamp": _date_test(commitment, trust),
    }
    advice = "compare the owner's fingerprint with the one they published"
    if trust is None and commitment.timestamps:
        advice += "; when it existed, by whom you trust: zkwm inspect FILE --trust FOLDER"
    return fields, tests, advice


def _date_test(commitment: Commitment, trust: Trust | None) -> Callable[[], object] | None:
    """How the date can be checked: nobody says when, where nobody is trusted to.

    That the token of an authority that the header names is missing shows by itself.
    """
    if trust is not None:
        return partial(_require_date, commitment, trust)
    named = commitment.header.timestamp_authority is not None
    return commitment.beacon if named and not commitment.timestamps else None


def _require_date(commitment: Commitment, trust: Trust) -> None:
    """Check that enough of these authorities date a commitment, and that its labels exist.

    Raises TrustMaterialMissing (``commitment.timestamp``), and what ``Commitment.beacon`` raises.
    """
    replace(commitment, authorities=trust.authorities).beacon()
    dating, refused = read_dates(commitment, trust)
    if dating.existed is None:
        why = f": {'; '.join(refused)}" if refused else ""
        raise TrustMaterialMissing(
            f"{len(dating.dated)} of {trust.needed} authorities that are needed date the "
            f"commitment{why}",
            hint="ask the owner for the commitment's file with all its timestamps",
            check="commitment.timestamp",
        )


def trust_fields(data: bytes) -> Reading:
    """Whom a judge trusts; the digest that challenges and verdicts name."""
    trust = Trust.from_bytes(data)
    fields = {
        "digest": trust.digest.hex(),
        "authorities": [one.name for one in trust.authorities],
        "authorities_needed": trust.needed,
        "log_policy": trust.log_policy is not None,
        "owners": [name for name, _ in trust.owners],
    }
    return fields, {}, "compare the digest with that of challenge and verdict"


def _hex(digest: bytes | None) -> str | None:
    """A digest in hexadecimal, or None."""
    return None if digest is None else digest.hex()
