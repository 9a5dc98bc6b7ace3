"""What a judge trusts: authorities that date, k of them, logs, persons, owners' keys (SPEC.md 24).

It decides which dates count, what the grinding of a commitment costs, and which person is shown
behind a key, so its digest stands in challenge and verdict. ``zkwm.trust_folder`` reads it from a
folder of standard files.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from zkwm_protocols.encoding import encode, pack, unpack
from zkwm_protocols.errors import Malformed
from zkwm_protocols.keys import PublicKey
from zkwm_protocols.person_authority import MOST_LISTS, MOST_ROOTS, PersonAuthority
from zkwm_protocols.schema import (
    refuse_earlier,
    require_boolean,
    require_bytes,
    require_constants,
    require_integer,
    require_list,
    require_map,
    require_optional_bytes,
    require_text,
)
from zkwm_protocols.timestamps.authority import (
    MAXIMUM_ACCURACY,
    MAXIMUM_LISTS,
    MAXIMUM_POLICIES,
    MAXIMUM_ROOTS,
    TimestampAuthority,
)

if TYPE_CHECKING:
    from zkwm_protocols.cose.logged_statement import LoggedStatement
    from zkwm_protocols.transparency.policy import LogPolicy

FILE_LIMIT = 4 * 2**20
MOST_AUTHORITIES = 64
MOST_OWNERS = 1_000
MOST_LOG_POLICY = 512 * 1024
MOST_STATEMENTS = 1_000
_TYPE, _VERSION = "zkwm-trust", 3
Ordered = TypeVar("Ordered", str, bytes)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


@dataclass(frozen=True)
class Trust:
    """Everything that a judge trusts.

    Args:
        authorities: those whose tokens count, by ascending name.
        needed: k, how many of them have to date a commitment; at most as many as there are.
        log_policy: a C2SP tlog-policy, byte for byte, or None.
        log_dates: whether the witnesses of that policy may date a commitment, too (SPEC.md 8.5).
        owners: (name, key) of owners whom the judge knows, by ascending name.
        people: authorities that know persons, by ascending name; no outcome rests on them.
        statements: logged statements about keys that the judge has; in no file and no digest, for
            each is verified by itself, and later ones than the challenge are wanted, too.

    Raises:
        Malformed: a field is outside its range.
    """

    authorities: tuple[TimestampAuthority, ...]
    needed: int = 1
    log_policy: bytes | None = None
    log_dates: bool = False
    owners: tuple[tuple[str, PublicKey], ...] = ()
    people: tuple[PersonAuthority, ...] = ()
    statements: tuple[LoggedStatement, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.authorities) > MOST_AUTHORITIES or len(self.owners) > MOST_OWNERS:
            raise Malformed("a judge trusts at most 64 authorities, and knows at most 1,000 owners")
        for one in self.authorities:
            require_name(one.name)
            if not (_ascending(one.roots) and _ascending(one.policies) and _ascending(one.crls)):
                raise Malformed("roots, policies and CRLs are ascending, each once")
        if not _ascending(tuple(one.name for one in self.authorities)):
            raise Malformed("authorities are ascending by name, each once")
        self._require_people()
        _require_independent(self.authorities)
        if not 1 <= self.needed <= max(1, len(self.authorities)):
            raise Malformed(
                f"{self.needed} of {len(self.authorities)} authorities are to date a commitment"
            )
        for name, _ in self.owners:
            require_name(name)
        if not _ascending(tuple(name for name, _ in self.owners)):
            raise Malformed("owners are ascending by name, each once")
        self._require_log_policy()

    def _require_people(self) -> None:
        """Raise Malformed unless the authorities for persons are named and in order."""
        for one in self.people:
            require_name(one.name)
        ordered = all(_ascending(one.roots) and _ascending(one.crls) for one in self.people)
        if not (ordered and _ascending(tuple(one.name for one in self.people))):
            raise Malformed(
                "authorities for persons, their roots and CRLs are ascending, each once"
            )
        if len(self.people) > MOST_AUTHORITIES:
            raise Malformed(f"a judge trusts at most {MOST_AUTHORITIES} authorities for persons")

    def _require_log_policy(self) -> None:
        """Raise Malformed for a log policy that is none, or that has no witness and is to date."""
        policy = self.read_log_policy()
        if self.log_dates and (policy is None or not policy.demands_witnesses):
            raise Malformed(
                "a log may date a commitment only by its witnesses, and no quorum of them is named",
                hint="give a log policy with a quorum of witnesses, or leave out log_dates",
            )

    def read_log_policy(self) -> LogPolicy | None:
        """The log policy, parsed. Raises Malformed, Unsupported."""
        if self.log_policy is None:
            return None
        from zkwm_protocols.transparency.policy import LogPolicy

        return LogPolicy.from_bytes(self.log_policy)

    @property
    def digest(self) -> bytes:
        """SHA-256 of ``zkwm-trust-1`` and the encoding of the map, 32 bytes."""
        return hashlib.sha256(b"zkwm-trust-1" + encode(self.to_map())).digest()

    def owner_name(self, keys: tuple[PublicKey, ...]) -> str:
        """The name of the owner who has one of these keys, empty where the judge knows none."""
        return next((name for name, key in self.owners if key in keys), "")

    def to_map(self) -> dict[str, Any]:
        """The CBOR map."""
        return {
            "type": _TYPE,
            "version": _VERSION,
            "authorities": [
                {
                    "name": one.name,
                    "roots": list(one.roots),
                    "policies": list(one.policies),
                    "accuracy": one.accuracy,
                    "demand_revocation": one.demand_revocation,
                    "crls": list(one.crls),
                }
                for one in self.authorities
            ],
            "needed": self.needed,
            "log_policy": self.log_policy,
            "log_dates": self.log_dates,
            "owners": [[name, key.to_map()] for name, key in self.owners],
            "people": [
                {"name": one.name, "roots": list(one.roots), "crls": list(one.crls)}
                for one in self.people
            ],
        }

    def to_bytes(self) -> bytes:
        """The file of kind ``trust``, as a case archive has it."""
        return pack("trust", self.to_map())

    @classmethod
    def from_bytes(cls, data: bytes) -> Trust:
        """Read ``to_bytes``. Raises Malformed or Unsupported."""
        value = unpack("trust", data, limit=FILE_LIMIT)
        refuse_earlier(value, _TYPE, _VERSION, "what a judge trusts")
        fields = require_map(
            value, "type version authorities needed log_policy log_dates owners people", "trust"
        )
        require_constants(
            fields,
            {"type": _TYPE, "version": _VERSION},
            f"what a judge trusts, of version {_VERSION}",
        )
        owners = []
        for row in require_list(fields["owners"], 0, MOST_OWNERS):
            name, key = require_list(row, 2, 2)
            owners.append((require_text(name, 64), PublicKey.from_map(key)))
        return cls(
            tuple(
                _read_authority(one)
                for one in require_list(fields["authorities"], 0, MOST_AUTHORITIES)
            ),
            require_integer(fields["needed"], MOST_AUTHORITIES, 1),
            require_optional_bytes(fields["log_policy"]),
            require_boolean(fields["log_dates"]),
            tuple(owners),
            tuple(
                _read_person_authority(one)
                for one in require_list(fields["people"], 0, MOST_AUTHORITIES)
            ),
        )


def _require_independent(authorities: tuple[TimestampAuthority, ...]) -> None:
    """Raise Malformed where two authorities have a root of one key: one would count as both."""
    owners: dict[bytes, str] = {}
    for one in authorities:
        for key in {_key_of(root) for root in one.roots} if len(authorities) > 1 else ():
            if key in owners:
                raise Malformed(
                    f"the authorities {owners[key]!r} and {one.name!r} have a root of the same "
                    "key, so that one of them would count as two",
                    hint="name each authority once; put all of its policies into one list",
                )
            owners[key] = one.name


def _key_of(root: bytes) -> bytes:
    """SHA-256 of a root's SubjectPublicKeyInfo, or of a root that is no certificate: it trusts
    nobody."""
    from zkwm_protocols.timestamps.chain import key_digest, load_certificate

    try:
        return key_digest(load_certificate(root))
    except Malformed:
        return hashlib.sha256(root).digest()


def _read_authority(value: object) -> TimestampAuthority:
    """An authority. Raises Malformed."""
    fields = require_map(value, "name roots policies accuracy demand_revocation crls", "authority")
    return TimestampAuthority(
        name=require_text(fields["name"], 64),
        roots=tuple(
            require_bytes(root) for root in require_list(fields["roots"], 1, MAXIMUM_ROOTS)
        ),
        policies=tuple(
            require_text(policy, 500)
            for policy in require_list(fields["policies"], 1, MAXIMUM_POLICIES)
        ),
        accuracy=require_integer(fields["accuracy"], MAXIMUM_ACCURACY),
        demand_revocation=require_boolean(fields["demand_revocation"]),
        crls=tuple(require_bytes(one) for one in require_list(fields["crls"], 0, MAXIMUM_LISTS)),
    )


def _read_person_authority(value: object) -> PersonAuthority:
    """An authority for persons. Raises Malformed."""
    fields = require_map(value, "name roots crls", "authority for persons")
    return PersonAuthority(
        require_text(fields["name"], 64),
        tuple(require_bytes(one) for one in require_list(fields["roots"], 1, MOST_ROOTS)),
        tuple(require_bytes(one) for one in require_list(fields["crls"], 0, MOST_LISTS)),
    )


def require_name(name: str) -> str:
    """``name``, if an authority or owner may be called so. Raises Malformed."""
    if not _NAME.fullmatch(name):
        raise Malformed(
            f"{name[:64]!r} is no name of an authority or owner",
            hint="1 to 64 of a-z, 0-9, dot, _ and -, beginning and ending with a letter or digit",
        )
    return name


def _ascending(values: tuple[Ordered, ...]) -> bool:
    """Whether each is there once, in ascending order."""
    return all(first < second for first, second in pairwise(values))
