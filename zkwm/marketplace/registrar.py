"""The half of a marketplace that registers: commitments, listings, and who could claim."""

from __future__ import annotations

from dataclasses import replace as changed
from pathlib import Path
from typing import Self

from zkwm.judge.judge import Judge
from zkwm.judge.ledger import JudgeLedger
from zkwm.marketplace.adoption import adopt
from zkwm.marketplace.registrations import (
    Listing,
    Registration,
    keep_commitment,
    keep_listing,
    kept_commitment,
    listings,
    registrations,
    require_listing_id,
)
from zkwm.marketplace.screening import Screening, screen
from zkwm.registry_database.database import Database
from zkwm.registry_database.location import find_location
from zkwm.suspects import Suspect
from zkwm.trust_folder import read_trust
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.trust import Trust


class Registrar:
    """What a marketplace knows of owners and offers; ``Marketplace`` adds cases to it."""

    def __init__(
        self,
        location: str | Path,
        judge: Judge,
        policy: Policy | None = None,
        *,
        trust: Trust | str | Path | None = None,
    ) -> None:
        self._trust = whom_to_trust(trust)
        self._database = Database(find_location(location))
        self._policy = policy or Policy()
        adopt(judge.ledger, self._database)
        self._judge = judge.with_ledger(JudgeLedger.over(self._database))

    @property
    def trust(self) -> Trust | None:
        """Whom this marketplace trusts to date commitments, or None."""
        return self._trust

    @property
    def judge(self) -> Judge:
        """The judge, with the ledger of this database."""
        return self._judge

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._database.close()

    def register(self, commitment: Commitment, *, replace: bool = False) -> str:
        """Check and keep a commitment, and when it was first seen; return its digest in hex.

        Registering it again changes nothing. Timestamps and log proofs stand outside of the digest
        and of the owner's signature, so that anybody can register a file without them, or with
        others: once the marketplace knows whose it is, ``replace`` puts their file in its place;
        the first sight stays. Raises what ``Commitment.verify`` raises by whom the marketplace
        trusts; then nothing is kept.
        """
        dated_by(commitment, self._trust).verify()
        self._judge.ledger.see_commitment(commitment.digest)
        keep_commitment(self._database, commitment, replace=replace)
        return commitment.digest.hex()

    def commitment(self, name: str) -> Commitment:
        """The registered commitment with this digest.

        Raises UsageError when there is none, Malformed where the database holds another one.
        """
        return kept_commitment(self._database, require_digest(name, "commitment"))

    def commitments(self, *, owner: str = "") -> tuple[Registration, ...]:
        """What is registered, the longest known first; only that of ``owner``, a fingerprint."""
        return registrations(self._database, owner)

    def add_listing(
        self, listing: str, suspect: Suspect, *, url: str = "", description: str = ""
    ) -> Listing:
        """Keep that a model is offered under this id, and when it was first seen.

        Add it again with a new file when the offer changes; the earlier file stays on record. The
        model is not asked. Raises UsageError for an id that is not 1 to 200 printable characters,
        Malformed for a ``url`` or ``description`` of more than 2,000.
        """
        require_listing_id(listing)
        self._judge.ledger.see_suspect(suspect.identity)
        keep_listing(self._database, listing, suspect.identity, url, description)
        (kept,) = listings(self._database, name=listing, suspect=suspect.identity)
        return kept

    def listings(self, listing: str | None = None) -> tuple[Listing, ...]:
        """The files on offer, the longest known first: all, or those of one listing's id."""
        return listings(self._database, name=listing)

    def screen(self, suspect: Suspect) -> Screening:
        """Which registered commitments have standing on a model, by what is on file.

        Nobody is asked, neither owners nor the model, and nothing is recorded or charged. A model
        that was never listed nor challenged was not seen yet: every commitment is older.
        """
        return screen(self._database, suspect, self._policy)

    def _require_listed(self, listing: str, suspect: Suspect) -> None:
        """Raise UsageError for an id under which this model was not added."""
        if listing and not listings(self._database, name=listing, suspect=suspect.identity):
            raise UsageError(
                f"this model was not added under the listing {listing[:200]!r}",
                hint="add_listing(listing, suspect) first, also when its file has changed",
            )


def require_digest(name: str, what: str) -> bytes:
    """A digest from hexadecimal. Raises UsageError."""
    if not (len(name) == 64 and all(letter in "0123456789abcdef" for letter in name)):
        raise UsageError(
            f"this marketplace has no such {what}: {name[:80]!r}",
            hint="name it by its digest, 64 characters of 0-9 and a-f",
        )
    return bytes.fromhex(name)


def whom_to_trust(trust: Trust | str | Path | None) -> Trust | None:
    """Whom to trust: as given, or as a trust folder says. Raises what ``read_trust`` does."""
    return read_trust(trust) if isinstance(trust, str | Path) else trust


def dated_by(commitment: Commitment, trust: Trust | None) -> Commitment:
    """The commitment for somebody who trusts these authorities."""
    return changed(commitment, authorities=() if trust is None else trust.authorities)
