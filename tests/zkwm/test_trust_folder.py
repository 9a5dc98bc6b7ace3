"""``zkwm.trust_folder``: whom a judge trusts, as a folder of standard files (SPEC.md 24)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from ssl import DER_cert_to_PEM_cert

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.certificate_authority import certify, new_key, revocation_list
from tests.support.logged_commitment import log_proof, stated
from tests.support.statements import ED_KEY
from tests.support.trust_folders import write_trust
from tests.support.witnessed_log import POLICY_TEXT
from zkwm.trust_folder import read_trust
from zkwm_protocols.cose.key_contents import KeyRevocation, RevocationReason
from zkwm_protocols.cose.statement import sign_statement
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError
from zkwm_protocols.trust import Trust

ROOT = certify("root", new_key(), ca=True)
SECOND = certify("second", new_key("ed25519"), ca=True)
OTHER = certify("other", new_key(), ca=True)
LEAF = certify("signer", new_key(), ROOT)
AGAIN = certify("root, issued again", ROOT.key, ca=True)
NEGATIVE = certify("root", new_key(), ca=True, serial=5).der.replace(
    b"\x02\x01\x02\x02\x01\x05", b"\x02\x01\x02\x02\x01\x85", 1
)
LIST = revocation_list(ROOT)
LOG_POLICY = POLICY_TEXT.encode()
KEY_STATEMENT = sign_statement(
    KeyRevocation(ED_KEY.public.fingerprint(), 0, RevocationReason.LOST), ED_KEY
)


def pem_of(key: object) -> bytes:
    public = key.public_key()
    data: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two authorities, of which both are needed, a log policy and two owners."""
    path = write_trust(
        tmp_path / "trust", {"a-tsa": (ROOT.pem, SECOND.pem), "b.tsa": (OTHER.pem,)}, needed=2
    )
    (path / "log-policy").write_bytes(LOG_POLICY)
    (path / "owners").mkdir()
    (path / "owners/acme.pem").write_bytes(pem_of(ed25519.Ed25519PrivateKey.generate()))
    (path / "owners/other.pem").write_bytes(pem_of(ec.generate_private_key(ec.SECP256R1())))
    return path


def test_everything_in_a_folder_is_read(folder: Path) -> None:
    trust = read_trust(folder)
    assert [one.name for one in trust.authorities] == ["a-tsa", "b.tsa"]
    assert trust.authorities[0].roots == tuple(sorted((ROOT.der, SECOND.der)))
    assert trust.authorities[0].demand_revocation
    assert (trust.needed, trust.log_policy, trust.log_dates) == (2, LOG_POLICY, False)
    assert [(name, key.algorithm) for name, key in trust.owners] == [
        ("acme", "ed25519"), ("other", "ecdsa-p256"),
    ]  # fmt: skip
    assert trust.owner_name((trust.owners[1][1],)) == "other"
    assert trust.owner_name(()) == ""


def test_its_file_has_the_same_digest_and_names_do_not_matter(folder: Path) -> None:
    trust = read_trust(folder)
    assert Trust.from_bytes(trust.to_bytes()) == trust
    (folder / "authorities/a-tsa/root.pem").write_bytes(SECOND.pem + ROOT.pem)
    assert read_trust(folder).digest == trust.digest
    (folder / "log-policy").write_bytes(b"# another text\n" + LOG_POLICY)
    assert read_trust(folder).digest != trust.digest


def test_a_judge_may_let_the_witnesses_of_a_log_date(folder: Path) -> None:
    before = read_trust(folder)
    (folder / "trust.toml").write_text("authorities_needed = 2\nlog_dates = true\n")
    trust = read_trust(folder)
    assert trust.log_dates
    assert trust.digest != before.digest
    assert Trust.from_bytes(trust.to_bytes()) == trust
    (folder / "log-policy").unlink()
    with pytest.raises(Malformed, match="only by its witnesses"):
        read_trust(folder)


def test_revocation_lists_of_the_judge_are_read_and_in_the_digest(folder: Path) -> None:
    before = read_trust(folder)
    _put("authorities/a-tsa/root.crl", LIST)(folder)
    trust = read_trust(folder)
    assert trust.authorities[0].crls == (LIST,)
    assert trust.digest != before.digest
    assert Trust.from_bytes(trust.to_bytes()) == trust
    one = replace(trust.authorities[0], crls=(LIST, LIST))
    with pytest.raises(Malformed, match="each once"):
        Trust((one,))


def test_who_knows_persons_is_read_and_in_the_digest(folder: Path) -> None:
    """Each root, each CRL and each name; statements of logs are not."""
    digests = {read_trust(folder).digest}
    for name, data in (
        ("people/state/root.pem", OTHER.pem), ("people/state/more.pem", SECOND.pem),
        ("people/state/root.crl", LIST), ("people/county/root.pem", OTHER.pem),
    ):  # fmt: skip
        _put(name, data)(folder)
        digests.add(read_trust(folder).digest)
    assert len(digests) == 5
    trust = read_trust(folder)
    assert [one.name for one in trust.people] == ["county", "state"]
    assert Trust.from_bytes(trust.to_bytes()) == trust
    _put("people/state/again.pem", OTHER.pem + SECOND.pem)(folder)
    assert read_trust(folder).digest == trust.digest
    _put("statements/one.tlog-proof", log_proof(KEY_STATEMENT).to_bytes())(folder)
    assert [one.statement for one in read_trust(folder).statements] == [KEY_STATEMENT]
    assert read_trust(folder).digest == trust.digest
    for people in (trust.people[::-1], (trust.people[0],) * 2):
        with pytest.raises(Malformed, match="ascending, each once"):
            replace(trust, people=people)


def test_more_than_eight_revocation_lists_are_refused(folder: Path) -> None:
    for number in range(9):
        _put(
            f"authorities/a-tsa/{number}.crl",
            revocation_list(certify(f"ca {number}", new_key(), ca=True)),
        )(folder)
    with pytest.raises(Malformed, match="at most 8 CRLs"):
        read_trust(folder)


def _put(name: str, data: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return change


CHANGES: dict[str, Callable[[Path], None]] = {
    "a file that belongs to nothing": _put("notes.txt", b""),
    "one in an authority": _put("authorities/a-tsa/key.der", b""),
    "one among owners": _put("owners/acme.txt", b""),
    "an authority that is a file": _put("authorities/c", b""),
    "an authority without settings": _put("authorities/c/root.pem", ROOT.pem),
    "one without roots": _put("authorities/c/authority.toml", b'policies = ["1.2.3"]'),
    "no policy": _put("authorities/a-tsa/authority.toml", b"policies = []"),
    "policies that are none": _put("authorities/a-tsa/authority.toml", b'policies = ["any"]'),
    "a setting that nobody knows": _put("trust.toml", b"authorities_needed = 1\nthreshold = 2"),
    "needed as text": _put("trust.toml", b'authorities_needed = "1"'),
    "nobody needed": _put("trust.toml", b"authorities_needed = 0"),
    "more needed than there are": _put("trust.toml", b"authorities_needed = 3"),
    "no TOML": _put("trust.toml", b"\xff"),
    "a root that is none": _put("authorities/a-tsa/root.pem", b"-----BEGIN CERTIFICATE-----"),
    "a root with a negative serial number": _put(
        "authorities/a-tsa/root.pem", DER_cert_to_PEM_cert(NEGATIVE).encode()
    ),
    "a signer's certificate for a root": _put("authorities/a-tsa/root.pem", LEAF.pem),
    "a certificate in DER": _put("authorities/a-tsa/root.crt", ROOT.der),
    "an owner's key of RSA": _put("owners/acme.pem", pem_of(rsa.generate_private_key(65537, 2048))),
    "an owner's key that is none": _put("owners/acme.pem", b"acme"),
    "one of an unknown algorithm": _put(
        "owners/acme.pem",
        pem_of(ec.generate_private_key(ec.SECP256R1())).replace(b"MFkwEwYHKoZI", b"MFkwEwYHKkZI"),
    ),
    "an owner's name that no file may have": _put(
        "owners/Acme.pem", pem_of(ed25519.Ed25519PrivateKey.generate())
    ),
    "a root under two names": _put("authorities/b.tsa/root.pem", ROOT.pem),
    "its key in another certificate": _put("authorities/b.tsa/again.pem", AGAIN.pem),
    "a statement that is none": _put("statements/one.tlog-proof", b"c2sp.org/tlog-proof@v1"),
    "one about a commitment": _put(
        "statements/one.tlog-proof", log_proof(stated(bytes(32), ED_KEY)).to_bytes()
    ),
    "one without its log": _put("statements/one.tlog-proof", KEY_STATEMENT.to_bytes()),
    "another file among statements": _put("statements/one.txt", b""),
    "an authority for persons without roots": _put("people/state/root.crl", LIST),
    "another file in one": _put("people/state/root.der", ROOT.der),
    "a revocation list that is none": _put("authorities/a-tsa/root.crl", b"no list"),
    "a list of another version": _put(
        "authorities/a-tsa/root.crl", LIST.replace(b"\x02\x01\x01", b"\x02\x01\x07", 1)
    ),
    "a list that is too large": _put("authorities/a-tsa/root.crl", bytes(1 + 2**20)),
    "settings without end": _put("trust.toml", b"#" * 70_000),
    "revocation as a number": _put(
        "authorities/a-tsa/authority.toml", b'policies = ["1.2.3"]\ndemand_revocation = 1'
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_wrong_in_a_folder_is_refused_by_name(
    folder: Path, change: Callable[[Path], None]
) -> None:
    change(folder)
    with pytest.raises(CouldNotCheck) as caught:  # Malformed, or a file that is missing
        read_trust(folder)
    assert str(folder) in caught.value.message
    assert caught.value.hint or "is larger than" in caught.value.message


def test_a_pipe_among_the_files_keeps_nobody_waiting(folder: Path) -> None:
    import os

    (folder / "log-policy").unlink()
    os.mkfifo(folder / "log-policy")
    with pytest.raises(CouldNotCheck):
        read_trust(folder)


def test_a_folder_without_settings_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_trust(tmp_path)
    assert "trust.toml" in caught.value.hint
    (tmp_path / "trust.toml").write_text("authorities_needed = 1\n")  # as the hint says
    assert read_trust(tmp_path).authorities == ()
