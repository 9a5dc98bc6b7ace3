"""Documents as the code writes them, each with its rule of spec/formats.cddl and its reader.

A dispute in memory, on the smallest sizes. Nothing is trained; the only cost is one Argon2id of the
cheapest parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.dispute import (
    CHEAP,
    PASSPHRASE,
    Claimant,
    asking,
    random_images,
)
from tests.support.small_networks import small_network
from tests.support.witnessed_log import POLICY_TEXT
from zkwm.judge.judge import Judge
from zkwm.judge.key_file import JudgeKey, create_judge_key
from zkwm.judge.verdict import Verdict
from zkwm.owner.vault import (
    ArgumentEntry,
    CommitmentSecrets,
    LedgerEntry,
    OlderCopyEntry,
    Vault,
)
from zkwm.owner.vault.high_water_mark import Mark, marks_of, tag_key
from zkwm.owner.vault.state import VaultState
from zkwm.secret_files.encrypted import Container, open_file
from zkwm.transparency_log.tree_key import KeyKind, create_tree_key
from zkwm_protocols.argument.layout_choice import choose_layout
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.argument_response import (
    ArgumentResponse,
    Refusal,
    make_statement,
    read_response,
)
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment, Header
from zkwm_protocols.dates import Interval, Published
from zkwm_protocols.encoding import decode, encode, first_line, pack
from zkwm_protocols.integer_network import codec
from zkwm_protocols.keys import ECDSA_P256, ED25519, JudgePublic, SigningKey
from zkwm_protocols.opened_triggers import read_opened
from zkwm_protocols.person_authority import PersonAuthority
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.sealing import unseal
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.timestamps.evidence import TimestampEvidence
from zkwm_protocols.trust import Trust
from zkwm_protocols.verdict_file import VerdictFile

LIMIT = 2**28
TRUST = Trust(
    (TimestampAuthority("a-tsa", (b"a root",), ("1.2.3",)),),
    1,
    POLICY_TEXT.encode(),
    True,
    (("acme", SigningKey.from_bytes(ECDSA_P256, bytes(range(1, 33))).public),),
    (PersonAuthority("state", (b"a root",), (b"a list",)),),
)
Reader = Callable[[bytes], object]


@dataclass(frozen=True)
class Document:
    """The encoding of a value, its rule, and how the code reads it (None: it never does)."""

    rule: str
    data: bytes
    read: Reader | None = None

    @property
    def value(self) -> Any:
        """The decoded value."""
        return decode(self.data, limit=LIMIT)


def value_of(file: bytes) -> bytes:
    """The value of a file without its first line."""
    return file[file.index(b"\n") + 1 :]


def read_challenge_body(body: bytes) -> object:
    """A challenge by its body."""
    return Challenge.from_bytes(pack("challenge", {"body": body, "signature": bytes(64)}))


def read_response_body(body: bytes) -> object:
    """A response by its body."""
    return read_response(pack("proof", {"body": body, "signatures": [bytes(64)]}))


def read_verdict_body(body: bytes) -> object:
    """A verdict by its body."""
    return Verdict.from_unverified(VerdictFile(body, bytes(64)).to_bytes())


def framed(kind: str, read: Callable[[bytes], object]) -> Reader:
    """A reader of values from a reader of files."""
    return lambda data: read(first_line(kind) + b"\n" + data)


def public_documents() -> dict[str, Document]:
    """What parties exchange, and what is hashed of it, by name."""
    from tests.support.verdict_documents import verdict_documents

    keys = (
        SigningKey.from_bytes(ED25519, bytes(range(32))),
        SigningKey.from_bytes(ECDSA_P256, bytes(range(1, 33))),
    )
    owner = Claimant(random_images(100), keys=keys)
    declaring = Claimant(random_images(100), declared_labels=np.arange(100) % 2)
    judge_key = JudgeKey.generate()
    judge = Judge(judge_key)
    network = small_network()
    argued = argument_challenge(asking(judge, declaring.commitment), codec.digest(network))
    statement = make_statement(declaring.commitment, argued, network, (0,), tuple(range(2)) * 25)
    return {
        **_commitments(owner, declaring),
        **_openings(judge, judge_key, owner),
        **_arguments(argued, owner, declaring),
        **verdict_documents(judge, owner, argued),
        "judge": Document(
            "JudgePublicFile",
            value_of(judge.public.to_bytes()),
            framed("judge-public", JudgePublic.from_bytes),
        ),
        "network": Document(
            "NetworkFile",
            value_of(codec.to_bytes(network)),
            framed("network", codec.from_bytes),
        ),
        "trust": Document(
            "TrustFile", value_of(TRUST.to_bytes()), framed("trust", Trust.from_bytes)
        ),
        "context": Document("Context", statement.context),
        "statement": Document("Statement", _statement_bytes()),
    }


_TIMESTAMP = TimestampEvidence(b"token", b"\1", (b"certificate",), (b"crl",), (b"response",))


def _commitments(owner: Claimant, declaring: Claimant) -> dict[str, Document]:
    return {
        "header": Document("Header", owner.commitment.header.to_bytes(), Header.from_bytes),
        "commitment": Document(
            "CommitmentFile",
            value_of(owner.commitment.to_bytes()),
            framed("commitment", Commitment.from_bytes),
        ),
        "commitment to declared labels": Document(
            "CommitmentFile", value_of(declaring.commitment.to_bytes())
        ),
        "commitment with a timestamp": Document(
            "CommitmentFile",
            value_of(replace(owner.commitment, timestamps=(_TIMESTAMP,)).to_bytes()),
            framed("commitment", Commitment.from_bytes),
        ),
    }


def _openings(judge: Judge, key: JudgeKey, owner: Claimant) -> dict[str, Document]:
    """Challenges for openings, and an opening."""
    challenge = asking(judge, owner.commitment, purpose="a dispute", excluded_blocks=(1,))
    dated = replace(challenge, published=Published(Interval(5, 9), "a page"), trust=bytes(32))
    ranks = asking(judge, owner.commitment, statistic="ranks")
    opening = owner.answer(challenge, [0])
    return {
        "challenge": Document(
            "ChallengeFile",
            value_of(challenge.to_bytes()),
            framed("challenge", Challenge.from_bytes),
        ),
        "challenge for an opening": Document(
            "OpeningChallenge", challenge.body(), read_challenge_body
        ),
        "challenge with dates": Document("OpeningChallenge", dated.body(), read_challenge_body),
        # without the key `statistic` it is a valid challenge for an opening: no reader refuses that
        "challenge for ranks": Document("ScoresChallenge", ranks.body()),
        "challenge for scores": Document(
            "ScoresChallenge", replace(ranks, statistic=Statistic.SCORES).body()
        ),
        "response": Document(
            "ProofFile", value_of(opening.to_bytes()), framed("proof", read_response)
        ),
        "opening": Document("Opening", opening.body(), read_response_body),
        "openings": Document(
            "OpeningPlaintext",
            unseal(opening.sealed, key.box),
            framed(
                "opened-triggers",
                lambda data: read_opened(data, owner.commitment, challenge, opening),
            ),
        ),
    }


def _arguments(argued: Any, owner: Claimant, declaring: Claimant) -> dict[str, Document]:
    """A challenge for an argument, and what answers it; the argument itself is a placeholder."""
    digests = argued.digest, declaring.commitment.digest
    argument = ArgumentResponse(*digests, (0,), tuple(range(10)) * 5, b"a proof")
    derived = ArgumentResponse(argued.digest, owner.commitment.digest, (0, 1), None, b"a proof")
    refusal = Refusal(*digests, 1)
    return {
        "challenge for an argument": Document(
            "ArgumentChallenge", argued.body(), read_challenge_body
        ),
        "argument": Document(
            "Argument", argument.signed_by(declaring.keys).body(), read_response_body
        ),
        "argument of derived labels": Document("Argument", derived.body(), read_response_body),
        "refusal": Document(
            "Refusal", refusal.signed_by(declaring.keys).body(), read_response_body
        ),
    }


def argument_challenge(opening: Challenge, network: bytes) -> Any:
    """The same challenge for an argument, as the code reads and writes it again."""
    fields = decode(opening.body(), limit=LIMIT)
    fields |= {"mode": "argument", "network": network, "least_matches": 30}
    return read_challenge_body(encode(fields))


def private_documents(folder: Path) -> dict[str, Document]:
    """What the vault's and the judge's files hold, by name."""
    vault = Vault.create(folder / "owner.vault", PASSPHRASE, cost=CHEAP)
    owner = Claimant(random_images(100))
    entry: dict[str, Any] = {
        "challenge_digest": bytes(32),
        "commitment_digest": owner.commitment.digest,
        "judge_fingerprint": owner.keys[0].public.fingerprint(),
        "purpose": "a dispute",
        "suspect_description": "model.onnx",
        "suspect_digest": bytes(32),
        "issued": 1_750_000_000,
        "recorded": 1_750_000_100,
        "response": b"the bytes that left",
    }
    argued = {"network_digest": bytes(32), "block_count": 1, "least_matches": 30}
    with vault.transaction() as state:
        state.commitments[owner.commitment.digest] = CommitmentSecrets(
            commitment_file=owner.commitment.to_bytes(),
            family="secret",
            salts=b"".join(owner.salts),
            images=owner.images.tobytes(),
            labels=None,
        )
        state.ledger.append(LedgerEntry(**entry, blocks=(0,)))
        entry["challenge_digest"] = b"\x01" * 32
        state.ledger.append(ArgumentEntry(**entry, **argued, outcome="proved", blocks=(1,)))
        state.ledger.append(OlderCopyEntry(7, bytes(32), 1_750_000_200))
        state.ledger.append(OlderCopyEntry(9, None, 1_750_000_300))
        state.trusted_judges.append(owner.keys[0].public.fingerprint())
    create_judge_key(folder / "judge.key", PASSPHRASE, cost=CHEAP)
    for tree_kind in KeyKind:
        path = folder / f"{tree_kind}.key"
        create_tree_key(path, tree_kind, "log.example/1", PASSPHRASE, cost=CHEAP)
    found = {}
    for kind, name, rule, content in (
        ("vault", "owner.vault", "VaultFile", "Vault"),
        ("judge-key", "judge.key", "JudgeKeyFile", "JudgeKey"),
        ("log-key", "log-key.key", "LogKeyFile", "TreeKey"),
        ("witness-key", "witness-key.key", "WitnessKeyFile", "TreeKey"),
    ):
        data = (folder / name).read_bytes()
        found[f"{kind} file"] = Document(rule, value_of(data), framed(kind, _container(kind)))
        found[kind] = Document(content, encode(open_file(kind, PASSPHRASE, data)))
    found["vault"] = Document(
        "Vault",
        found["vault"].data,
        lambda data: VaultState.from_map(decode(data, limit=LIMIT)),
    )
    *_, mark = marks_of(vault.state)
    key = tag_key(vault.state)
    found["mark"] = Document(
        "VaultMarkFile",
        value_of(mark.to_bytes(key)),
        framed("vault-mark", lambda data: Mark.from_bytes(data, key)),
    )
    return found


def _container(kind: str) -> Reader:
    return lambda data: Container.from_bytes(kind, data)


def _statement_bytes() -> bytes:
    network = small_network()
    statement = Statement(
        context=b"context",
        network=network,
        leaves=(bytes(32), b"\x01" * 32),
        label_fields=(0xFFFF, 0xFFFF),
        outputs=(0, 1),
        least_matches=1,
    )
    return statement.to_bytes(choose_layout(triggers=2, cells=7698, lookups=4055, rows=233_743))
