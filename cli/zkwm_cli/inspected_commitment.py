"""What a commitment, and whom a judge trusts to date it, say without a secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from zkwm.judge.dating import Dating, read_dates
from zkwm.judge.log_dating import entry_in_words
from zkwm.report.persons import person_lines
from zkwm.written_dates import interval_values
from zkwm_cli.reading import Reading
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidLogProof, TrustMaterialMissing
from zkwm_protocols.trust import Trust

Dates: TypeAlias = tuple[Dating, tuple[str, ...]]
"""What verifies, and why the rest does not."""


def commitment_fields(data: bytes, trust: Trust | None = None) -> Reading:
    """Root and signatures can be checked, and timestamps by whom the reader trusts."""
    commitment = Commitment.from_bytes(data)
    header = commitment.header
    dates = None if trust is None else read_dates(commitment, trust)
    dating = None if dates is None else dates[0]
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
        "existed_by": None if dating is None else interval_values(dating.existed),
        "log_proofs": len(commitment.log_proofs),
        "logged": None if dating is None else [one.to_json() for one in dating.logged],
        "key_proofs": len(commitment.key_proofs),
        "persons": None if dating is None else [one.to_json() for one in dating.owner_keys],
        "root": header.root.hex(),
    }
    tests: dict[str, Callable[[], object] | None] = {
        "commitment.root": commitment.verify_root,
        "commitment.class_names": commitment.verify_class_names,
        "commitment.signature": commitment.verify_signatures,
        "commitment.timestamp": _date_test(commitment, trust, dates),
    }
    if commitment.log_proofs:
        known = dates is not None and trust is not None and trust.log_policy is not None
        tests["log.proof"] = partial(_require_logged, dates) if known and dates else None
    advice = "compare the owner's fingerprint with the one they published"
    if trust is None and (commitment.timestamps or commitment.log_proofs or commitment.key_proofs):
        advice += (
            "; when it existed, and whose its keys are, by whom you trust: zkwm inspect FILE "
            "--trust FOLDER"
        )
    return Reading(fields, tests, advice, {} if dating is None else _lines(dating))


def _lines(dating: Dating) -> dict[str, list[str]]:
    """Entries in logs and the persons behind the keys, for people."""
    persons = [
        f"{one.key}: {line}"
        for one in dating.owner_keys
        for line in person_lines(one, dating.people)
    ]
    return {"logged": [entry_in_words(one) for one in dating.logged], "persons": persons}


def _require_logged(dates: Dates) -> None:
    """Check that an owner's statement stands in a log as the policy demands.

    Raises InvalidLogProof with what is wrong with each proof.
    """
    dating, refused = dates
    if not dating.logged:
        raise InvalidLogProof(
            f"no log proof in the file verifies: {'; '.join(refused)}",
            hint="ask the owner for the file that zkwm register --log wrote",
            check="log.proof",
        )


def _date_test(
    commitment: Commitment, trust: Trust | None, dates: Dates | None
) -> Callable[[], object] | None:
    """How the date can be checked: nobody says when, where nobody is trusted to.

    That the token of an authority that the header names is missing shows by itself.
    """
    if trust is not None and dates is not None:
        return partial(_require_date, commitment, trust, dates)
    named = commitment.header.timestamp_authority is not None
    return commitment.beacon if named and not commitment.timestamps else None


def _require_date(commitment: Commitment, trust: Trust, dates: Dates) -> None:
    """Check that enough of these authorities date a commitment, and that its labels exist.

    Raises TrustMaterialMissing (``commitment.timestamp``), and what ``Commitment.beacon`` raises.
    """
    replace(commitment, authorities=trust.authorities).beacon()
    dating, refused = dates
    if dating.existed is not None:
        return
    hint = "ask the owner for the commitment's file with all its timestamps"
    why = f": {'; '.join(refused)}" if refused else ""
    if dating.by_log is not None and not trust.log_dates:
        seen = "; and ".join(entry_in_words(one) for one in dating.logged)
        why = f"; but its log proof is good: {seen}{why}"
        hint += (
            ", or let the witnesses of your log-policy date commitments: log_dates = true in "
            "trust.toml"
        )
    raise TrustMaterialMissing(
        f"{len(dating.dated)} of {trust.needed} authorities that are needed date the "
        f"commitment{why}",
        hint=hint,
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
        "people": [one.name for one in trust.people],
    }
    return Reading(fields, {}, "compare the digest with that of challenge and verdict")


def _hex(digest: bytes | None) -> str | None:
    """A digest in hexadecimal, or None."""
    return None if digest is None else digest.hex()
