"""Logged statements about keys: in a commitment's file, and in a judge's trust folder (SPEC.md 26).

Whoever has a key states about it what they like: most documents here are well signed and logged,
and what they say, certificates included, is changed. What a judge shows of them can be signed.
"""

from __future__ import annotations

import functools
from base64 import encodebytes
from dataclasses import replace
from random import Random
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.fuzz.byte_changes import change_bytes, chosen, mixed
from tests.fuzz.cbor_changes import change_cbor
from tests.fuzz.der_changes import change_der
from tests.fuzz.disk import folder, from_disk
from tests.fuzz.harness import DOCUMENT_ERRORS, Kind
from tests.fuzz.text_changes import change_lines
from tests.support.certificate_authority import DAY, Revoked, revocation_list
from tests.support.dispute import Claimant, random_images
from tests.support.statements import CARD, ED_KEY, PERSON_DAY, PERSON_ROOT, contents
from tests.support.tiled_log import TiledLog
from tests.support.trust_folders import write_trust
from tests.support.witnessed_log import LOG_KEY, ORIGIN, POLICY_TEXT, TIME, WITNESSES
from zkwm.judge.owner_keys import OwnerKey, look_up_owner_keys, read_owner_keys
from zkwm.trust_folder import read_trust
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.key_contents import KeyBinding
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.sign1 import Sign1, sig_structure
from zkwm_protocols.cose.statement import SignedStatement, sign_statement
from zkwm_protocols.encoding import encode, pack, unpack
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.person_authority import PersonAuthority
from zkwm_protocols.transparency.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.trust import Trust

_KEPT = "statements/key.tlog-proof"
_ROOT, _LIST = "people/state/root.pem", "people/state/one.crl"
_LATER = TIME + DAY.days * 86_400


@functools.cache
def _about_keys() -> list[SignedStatement]:
    """A statement of each kind about one key, by that key."""
    return [sign_statement(one, ED_KEY) for one in contents(ED_KEY) if hasattr(one, "key")]


@functools.cache
def _commitment() -> Commitment:
    """A commitment by that key."""
    return Claimant(random_images(100), keys=(ED_KEY,)).commitment


def _logged(entry: bytes) -> bytes:
    """The proof of a log whose one entry these bytes are, by a quorum of its witnesses."""
    checkpoint = Checkpoint(ORIGIN, TiledLog([entry]).head())
    lines = [sign_checkpoint(checkpoint, LOG_KEY)]
    lines += [sign_checkpoint(checkpoint, key, TIME) for key in (WITNESSES[0], WITNESSES[2])]
    return ProofFile(0, (), SignedCheckpoint(checkpoint, tuple(lines)), entry).to_bytes()


def _signed(statement: SignedStatement, payload: bytes) -> bytes:
    """The statement with another payload, signed by its key."""
    message = Sign1.from_bytes(statement.to_bytes(), limit=1 << 16)
    signature = ED_KEY.sign_cose(sig_structure(message.protected, payload))
    return Sign1(message.protected, payload, signature).to_bytes()


def _payload(statement: SignedStatement, random: Random) -> bytes:
    """What a statement says, changed: a certificate as DER, or any part as CBOR."""
    content = statement.content
    payload = content.to_payload()
    if not isinstance(content, KeyBinding) or not content.certificates or random.random() < 0.3:
        return change_cbor(payload, random)
    certificates = list(content.certificates)
    place = random.choice([0, -1, -1])
    certificates[place] = change_der(certificates[place], random)
    parts: dict[str, Any] = {"person": content.person, "document": content.document}
    return encode({**parts, "certificates": certificates, "proof": content.proof})


def _proof(random: Random) -> bytes:
    """A logged statement: as it is, of another text, or with another content well signed."""
    statement, way = random.choice(_about_keys()), random.random()
    if way < 0.2:
        return _logged(statement.to_bytes())
    if way < 0.4:
        return change_lines(_logged(statement.to_bytes()), random)
    if way < 0.5:
        return _logged(change_bytes(statement.to_bytes(), random)[:65_000])
    return _logged(_signed(statement, _payload(statement, random)[:60_000]))


@functools.cache
def _trust() -> Trust:
    """Who trusts the tests' log, and the authority of its persons."""
    people = (PersonAuthority("state", (PERSON_ROOT.der,), (_lists()[0],)),)
    return Trust((), log_policy=POLICY_TEXT.encode(), people=people)


@functools.cache
def _lists() -> list[bytes]:
    """CRLs: nothing was revoked, and the card was."""
    times: dict[str, Any] = {"start": PERSON_DAY, "end": PERSON_DAY + 90 * DAY}
    return [
        revocation_list(PERSON_ROOT, **times),
        revocation_list(PERSON_ROOT, Revoked(CARD.certificate, PERSON_DAY), **times),
    ]


def _shown(commitment: Commitment, trust: Trust) -> tuple[OwnerKey, ...]:
    """Who stands behind the keys, as a verdict's file has it."""
    keys, _ = look_up_owner_keys(commitment, trust, _LATER)
    assert read_owner_keys([one.to_list() for one in keys]) == keys
    return keys


def commitment_kind() -> Kind:
    """Commitments that carry one to three statements about their key."""

    def make(random: Random) -> bytes:
        fields = unpack("commitment", _commitment().to_bytes(), limit=1 << 20)
        fields["log_proofs"] = [_proof(random) for _ in range(random.choice([1, 1, 1, 2, 3]))]
        data = pack("commitment", fields)
        return change_bytes(data, random) if random.random() < 0.05 else data

    def read(data: bytes) -> Commitment:
        commitment = Commitment.from_bytes(data)
        _shown(commitment, _trust())
        return commitment

    return Kind("key statement in a commitment", make, read, again=lambda value: value.to_bytes())


@functools.cache
def _carrying() -> Commitment:
    """The commitment with all statements of people's authority about its key."""
    proofs = tuple(
        LoggedStatement.from_bytes(_logged(one.to_bytes()))
        for one in _about_keys()
        if isinstance(one.content, KeyBinding)
    )
    return replace(_commitment(), key_proofs=proofs)


@functools.cache
def _place(name: str) -> str:
    """A good trust folder for the files of this name, relative to the folder of this process."""
    place = "keys-" + name.replace("/", "-")
    path = write_trust(folder() / place, {})
    (path / "log-policy").write_text(POLICY_TEXT, encoding="utf-8")
    for part in ("people/state", "statements"):
        (path / part).mkdir(parents=True)
    (path / _ROOT).write_bytes(PERSON_ROOT.pem)
    return place


def _folder_kind(name: str, what: str, samples: list[bytes], change: Any) -> Kind:
    """A file of a trust folder, read with all others, and who then stands behind a key."""

    @functools.cache
    def reading() -> Any:
        place = _place(name)

        def read(_: object) -> object:
            trust = read_trust(folder() / place)
            assert Trust.from_bytes(trust.to_bytes()).digest == trust.digest
            return _shown(_commitment() if trust.statements else _carrying(), trust)

        return from_disk(f"{place}/{name}", read)

    def read(data: bytes) -> object:
        return reading()(data)

    return Kind(f"trust folder: {what}", mixed(chosen(samples), change), read,
                (*DOCUMENT_ERRORS, CouldNotCheck))  # fmt: skip


def _change_pem(data: bytes, random: Random) -> bytes:
    """Lines of PEM, or another DER in it."""
    if random.random() < 0.4:
        return change_lines(data, random)
    der = x509.load_pem_x509_certificates(data)[0].public_bytes(Encoding.DER)
    body = encodebytes(change_der(der, random))
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


def kinds() -> list[Kind]:
    """All kinds of this file."""
    kept = [_logged(one.to_bytes()) for one in _about_keys()]
    return [
        commitment_kind(),
        _folder_kind(_KEPT, "statements/*.tlog-proof", kept, lambda _, random: _proof(random)),
        _folder_kind(_ROOT, "people's root.pem", [PERSON_ROOT.pem, CARD.pem + PERSON_ROOT.pem],
                     _change_pem),
        _folder_kind(_LIST, "people's CRL", _lists(), change_der),
    ]  # fmt: skip
