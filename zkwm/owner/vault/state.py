"""The content of a vault: keys, the secrets of each commitment, the ledger (SPEC.md 11).

A ledger grows and never changes: if what was opened to whom could be forgotten, a spent trigger
would be opened again to somebody else. Its entries are in ``zkwm.owner.vault.ledger``.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from typing import Any

from zkwm.hardware_keys import HardwareKey
from zkwm.owner.vault.ledger import (
    Answer,
    ArgumentEntry,
    Entry,
    LedgerEntry,
    OlderCopyEntry,
    read_entry,
)
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import Malformed, Unsupported, VaultUnusable
from zkwm_protocols.fingerprints import require_fingerprint
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.schema import (
    require_bytes,
    require_integer,
    require_list,
    require_map,
    require_text,
)

SEED_BYTES = 32
SALT_BYTES = 32
VERSION = 2
_MAXIMUM_COUNT = 100_000
_MAXIMUM_TIME = 2**40
_OLDER_COPY = "if an older copy of the vault was put back, put the newest one back"


@dataclass(frozen=True)
class CommitmentSecrets:
    """The secrets of one commitment of n triggers.

    Args:
        commitment_file: the public file.
        family: the trigger family, or ``given``.
        salts: n times 32 bytes.
        images: uint8 in C order of (n, channels, height, width).
        labels: the n declared labels, or None where labels are derived.
        created: when it was made, by the owner's clock, in seconds since 1970; None in a vault that
            an earlier release began.

    Raises:
        Malformed: these do not fit each other.
    """

    commitment_file: bytes = field(repr=False)
    family: str
    salts: bytes = field(repr=False)
    images: bytes = field(repr=False)
    labels: tuple[int, ...] | None = field(repr=False)
    created: int | None = None

    def __post_init__(self) -> None:
        require_bytes(self.commitment_file)
        require_text(self.family, 32)
        require_bytes(self.salts)
        count, rest = divmod(len(self.salts), SALT_BYTES)
        if rest or not 1 <= count <= _MAXIMUM_COUNT:
            raise Malformed("a commitment's secrets have one salt of 32 bytes for each trigger")
        if not require_bytes(self.images) or len(self.images) % count:
            raise Malformed("expected one image for each salt")
        if self.created is not None:
            require_integer(self.created, _MAXIMUM_TIME)
        if self.labels is not None:
            if not isinstance(self.labels, tuple) or len(self.labels) != count:
                raise Malformed("expected one declared label for each trigger")
            for label in self.labels:
                require_integer(label, 65_534)

    def to_map(self) -> dict[str, Any]:
        """The CBOR map, one entry for each field."""
        return {
            "commitment_file": self.commitment_file,
            "family": self.family,
            "salts": self.salts,
            "images": self.images,
            "labels": None if self.labels is None else list(self.labels),
            "created": self.created,
        }

    @classmethod
    def from_map(cls, value: object, version: int = VERSION) -> CommitmentSecrets:
        """Read ``to_map``, of version 1 too, which has no ``created``.

        Raises Malformed; Unsupported for a vault of a still earlier release.
        """
        if isinstance(value, dict) and "decoys" in value:
            raise Unsupported(
                "a vault of an earlier release of zkwm, which kept decoys",
                hint="make a new vault and a new commitment with this release",
            )
        fields = require_map(
            value,
            "commitment_file family salts images labels" + (" created" if version > 1 else ""),
            "commitment's secrets",
        )
        labels = fields["labels"]
        if labels is not None:
            labels = tuple(require_list(labels, 1, _MAXIMUM_COUNT))
        return cls(**{**fields, "labels": labels})


@dataclass
class VaultState:
    """The content of a vault, to be changed within ``Vault.transaction`` only.

    Args:
        signing_key: signs commitments and responses.
        seed: 32 random bytes, from which ``derive_key`` derives.
        commitments: the secrets of each commitment, by D (32 bytes).
        ledger: every answer, and every older copy that was accepted, in order of time.
        trusted_judges: the fingerprints that the owner has confirmed.
    """

    signing_key: SigningKey
    seed: bytes = field(repr=False)
    commitments: dict[bytes, CommitmentSecrets] = field(default_factory=dict)
    ledger: list[Entry] = field(default_factory=list)
    trusted_judges: list[str] = field(default_factory=list)

    def spent_blocks(self, commitment_digest: bytes) -> frozenset[int]:
        """The blocks of a commitment that have been opened to anybody."""
        return frozenset(
            block
            for entry in self.openings()
            if entry.commitment_digest == commitment_digest
            for block in entry.blocks
        )

    def openings(self) -> list[LedgerEntry]:
        """The entries that opened something, of all commitments."""
        return [entry for entry in self.ledger if isinstance(entry, LedgerEntry)]

    def arguments(self, commitment_digest: bytes) -> list[ArgumentEntry]:
        """The answers in zero knowledge about a commitment: one released bit each."""
        return [
            entry
            for entry in self.ledger
            if isinstance(entry, ArgumentEntry) and entry.commitment_digest == commitment_digest
        ]

    def older_copies(self) -> list[OlderCopyEntry]:
        """The entries by which the owner went on with an older copy of the vault."""
        return [entry for entry in self.ledger if isinstance(entry, OlderCopyEntry)]

    def response_to(self, challenge_digest: bytes) -> Answer | None:
        """The entry of a challenge that has been answered, or None."""
        for entry in self.ledger:
            if not isinstance(entry, OlderCopyEntry) and entry.challenge_digest == challenge_digest:
                return entry
        return None

    def derive_key(self, purpose: bytes, context: bytes) -> bytes:
        """32 secret bytes for one purpose and one 32-byte context.

        HMAC-SHA-256 under the seed of ``zkwm-derive-1``, the purpose's length, purpose, context.
        """
        require_bytes(context, 32)
        message = b"zkwm-derive-1" + bytes([len(purpose)]) + purpose + context
        return hmac.digest(self.seed, message, "sha256")

    def copy(self) -> VaultState:
        """A state that can change without this one changing; the records are shared."""
        return VaultState(
            signing_key=self.signing_key,
            seed=self.seed,
            commitments=dict(self.commitments),
            ledger=list(self.ledger),
            trusted_judges=list(self.trusted_judges),
        )

    def to_map(self) -> dict[str, Any]:
        """The CBOR map that a vault encrypts, of version 2."""
        return {
            "version": VERSION,
            "signing": _signing_map(self.signing_key),
            "seed": self.seed,
            "commitments": [
                {"digest": digest, "secrets": kept.to_map()}
                for digest, kept in self.commitments.items()
            ],
            "ledger": [entry.to_map() for entry in self.ledger],
            "trusted_judges": list(self.trusted_judges),
        }

    @classmethod
    def from_map(cls, value: object) -> VaultState:
        """Read ``to_map``, and version 1, which the next change replaces: a vault holds secrets.

        No commitment, challenge or trusted judge occurs twice; every entry is about a commitment
        that the vault holds; openings and arguments are about blocks that no earlier opening has
        spent, but for openings to the same judge about the same suspect; all arguments about one
        commitment and network ask one question. Raises Malformed, or Unsupported for another
        version.
        """
        version = _version(value)
        names = "signing seed commitments ledger trusted_judges"
        fields = require_map(value, names + (" version" if version > 1 else ""), "vault")
        commitments: dict[bytes, CommitmentSecrets] = {}
        for item in require_list(fields["commitments"], 0, _MAXIMUM_COUNT):
            pair = require_map(item, "digest secrets", "commitment")
            digest = require_bytes(pair["digest"], 32)
            if digest in commitments:
                raise Malformed("a commitment occurs twice in the vault")
            commitments[digest] = CommitmentSecrets.from_map(pair["secrets"], version)
        ledger = [read_entry(item) for item in require_list(fields["ledger"], 0, _MAXIMUM_COUNT)]
        _require_consistent(commitments, ledger)
        trusted = [
            require_fingerprint(item)
            for item in require_list(fields["trusted_judges"], 0, _MAXIMUM_COUNT)
        ]
        if len(set(trusted)) != len(trusted):
            raise Malformed("a trusted judge occurs twice in the vault")
        return cls(
            signing_key=_read_signing(fields["signing"]),
            seed=require_bytes(fields["seed"], SEED_BYTES),
            commitments=commitments,
            ledger=ledger,
            trusted_judges=trusted,
        )


def require_successor(earlier: VaultState, later: VaultState) -> None:
    """Raise VaultUnusable unless ``later`` keeps everything that may not be lost.

    The keys and the seed stay, no commitment is removed or changed but by further timestamps and
    log proofs, and the earlier ledger is the beginning of the later one.
    """
    if later.signing_key != earlier.signing_key or not hmac.compare_digest(
        later.seed, earlier.seed
    ):
        raise VaultUnusable("the keys of the vault have been replaced", hint=_OLDER_COPY)
    for digest, kept in earlier.commitments.items():
        if not _keeps(later.commitments.get(digest), kept):
            raise VaultUnusable(
                "a commitment's secrets have been removed from the vault, or altered",
                hint=_OLDER_COPY,
            )
    if later.ledger[: len(earlier.ledger)] != earlier.ledger:
        raise VaultUnusable(
            "an entry of the vault's ledger has been removed, or altered", hint=_OLDER_COPY
        )


def _signing_map(key: SigningKey) -> dict[str, Any]:
    """The map of a signing key: its secret, or the token that it is in."""
    if isinstance(key, HardwareKey):
        return key.to_map()
    return {"algorithm": key.algorithm, "secret": key.to_bytes()}


def _read_signing(value: object) -> SigningKey:
    """Read ``_signing_map``. Raises Malformed or Unsupported."""
    if isinstance(value, dict) and "token" in value:
        return HardwareKey.from_map(value)
    fields = require_map(value, "algorithm secret", "signing key")
    return SigningKey.from_bytes(
        require_text(fields["algorithm"], 32), require_bytes(fields["secret"], 32)
    )


def _version(value: object) -> int:
    """The version of a vault's content; the first one does not say it. Raises Unsupported."""
    if not isinstance(value, dict) or "version" not in value:
        return 1
    if value["version"] != VERSION or type(value["version"]) is not int:
        raise Unsupported(
            f"a vault of another version than 1 and {VERSION}",
            hint="open it with the release of zkwm that wrote it",
        )
    return VERSION


def _keeps(later: CommitmentSecrets | None, earlier: CommitmentSecrets) -> bool:
    """Whether a commitment's secrets are the same, and its file has at most more of what dates it.

    That is timestamps and entries in logs. Where an authority is named, the first timestamp stays:
    it decides on the labels.
    """
    if later is None or later == earlier:
        return later is not None
    if replace(later, commitment_file=earlier.commitment_file) != earlier:
        return False
    files = [Commitment.from_bytes(one.commitment_file) for one in (later, earlier)]
    tokens = [[one.token for one in file.timestamps] for file in files]
    if files[1].header.timestamp_authority and tokens[1] and tokens[0][:1] != tokens[1][:1]:
        return False
    bare = [replace(file, timestamps=(), log_proofs=(), key_proofs=()) for file in files]
    entries = [
        {
            (one.statement, one.proof.checkpoint.checkpoint.origin)
            for one in (*file.log_proofs, *file.key_proofs)
        }
        for file in files
    ]
    return bare[0] == bare[1] and set(tokens[0]) >= set(tokens[1]) and entries[0] >= entries[1]


def _require_consistent(commitments: dict[bytes, CommitmentSecrets], ledger: list[Entry]) -> None:
    """Check the rules across entries that ``VaultState.from_map`` names. Raises Malformed."""
    challenges: set[bytes] = set()
    spent: dict[tuple[bytes, int], tuple[str, bytes]] = {}
    questions: dict[tuple[bytes, bytes], tuple[int, int]] = {}
    for entry in ledger:
        if isinstance(entry, OlderCopyEntry):
            continue
        if entry.commitment_digest not in commitments:
            raise Malformed("a ledger entry about a commitment that the vault does not hold")
        if entry.challenge_digest in challenges:
            raise Malformed("one challenge has two responses in the ledger")
        challenges.add(entry.challenge_digest)
        blocks = {(entry.commitment_digest, block) for block in entry.blocks}
        # Opened again to the same judge about the same suspect, a block tells nothing new.
        holder = (entry.judge_fingerprint, entry.suspect_digest)
        again = isinstance(entry, LedgerEntry)
        if any(spent[block] != holder or not again for block in blocks if block in spent):
            raise Malformed("the ledger uses a block after it was opened")
        if isinstance(entry, LedgerEntry):
            spent |= dict.fromkeys(blocks, holder)
        elif entry.asks_for_matches:
            network = (entry.commitment_digest, entry.network_digest)
            if questions.setdefault(network, entry.question) != entry.question:
                raise Malformed("the ledger answers two questions about one network")
