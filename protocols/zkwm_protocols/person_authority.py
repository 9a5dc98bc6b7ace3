"""An authority that a judge trusts to know persons, by its root certificates (SPEC.md 26.6)."""

from __future__ import annotations

from dataclasses import dataclass

from zkwm_protocols.errors import Malformed

MOST_ROOTS = 8
MOST_LISTS = 8
LISTS_LIMIT = 1 << 20


@dataclass(frozen=True)
class PersonAuthority:
    """An authority that a judge trusts to know persons.

    Args:
        name: for people.
        roots: its root certificates, DER; 1 to 8.
        crls: certificate revocation lists that the judge has, DER; at most 8, of 1 MiB together.

    Raises Malformed for other numbers.
    """

    name: str
    roots: tuple[bytes, ...]
    crls: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.roots) <= MOST_ROOTS or not all(self.roots):
            raise Malformed(f"an authority has 1 to {MOST_ROOTS} root certificates")
        if len(self.crls) > MOST_LISTS or sum(map(len, self.crls)) > LISTS_LIMIT:
            raise Malformed(f"an authority has at most {MOST_LISTS} CRLs, of 1 MiB together")
