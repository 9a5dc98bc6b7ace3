"""Whom a judge trusts: the file, and every file of a trust folder (SPEC.md 24)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.fuzz.byte_changes import chosen, headed, mixed
from tests.fuzz.cbor_changes import change_cbor
from tests.fuzz.der_changes import change_der
from tests.fuzz.disk import folder, from_disk
from tests.fuzz.harness import DOCUMENT_ERRORS, Kind
from tests.fuzz.text_changes import change_lines
from tests.support.stored_vectors import vectors
from tests.support.trust_folders import write_trust
from zkwm.trust_folder import read_trust
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.person_authority import PersonAuthority
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.trust import Trust

ERRORS = (*DOCUMENT_ERRORS, CouldNotCheck)
Change = Callable[[bytes, Random], bytes]


def _case() -> dict[str, str]:
    """A stored token with a CRL."""
    found: dict[str, str] = vectors("timestamps")["accepted"][0]
    return found


def _pem(der: bytes) -> bytes:
    """A certificate in PEM."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


@functools.cache
def _samples() -> dict[str, list[bytes]]:
    """Good files of a folder, by their names in it."""
    roots = [bytes.fromhex(one["root"]) for one in vectors("timestamps")["accepted"][:2]]
    keys = (
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))),
        ec.derive_private_key(7, ec.SECP256R1()),
    )
    public = [
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for key in keys
    ]
    settings = (
        b'policies = ["1.2.3"]\n',
        b'policies = ["1.2.3", "1.3.6.1.4.1.57264.2"]\ndemand_revocation = false\n'
        b"accuracy_microseconds = 500000\n",
    )
    return {
        "trust.toml": [b"authorities_needed = 1\n", b"# two of three\nauthorities_needed=2\n"],
        "authorities/a/authority.toml": list(settings),
        "authorities/a/root.pem": [_pem(roots[0]), _pem(roots[1]) + _pem(roots[0])],
        "authorities/a/one.crl": [bytes.fromhex(one) for one in _case()["crls"]],
        "owners/acme.pem": public,
    }


@functools.cache
def _folder(name: str) -> str:
    """A good trust folder for the files of this name, relative to the folder of this process."""
    place = "trust-" + name.replace("/", "-")
    root = bytes.fromhex(_case()["root"])
    path = write_trust(folder() / place, {"a": (_pem(root),)})
    if name.startswith("owners/"):
        (path / "owners").mkdir()
    return place


def _reader(name: str) -> Callable[[bytes], object]:
    """A reader of a whole folder in which this file is another."""

    @functools.cache
    def reading() -> Callable[[bytes], object]:
        place = _folder(name)
        return from_disk(f"{place}/{name}", lambda _: _read_again(folder() / place))

    return lambda data: reading()(data)


def _read_again(path: Path) -> Trust:
    """Whom the folder trusts: its file says the same, and has the same digest."""
    trust = read_trust(path)
    again = Trust.from_bytes(trust.to_bytes())
    assert (again, again.digest) == (trust, trust.digest)
    return trust


def _change_pem(data: bytes, random: Random) -> bytes:
    """Lines of PEM, or a certificate of which another DER is written."""
    if b"CERTIFICATE" not in data or random.random() < 0.5:
        return change_lines(data, random)
    from base64 import encodebytes

    der = x509.load_pem_x509_certificates(data)[0].public_bytes(Encoding.DER)
    body = encodebytes(change_der(der, random))
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


def _trusts() -> list[bytes]:
    """Files of kind ``trust``."""
    root = bytes.fromhex(_case()["root"])
    one = TimestampAuthority("a", (root,), ("1.2.3",))
    lists = tuple(sorted(bytes.fromhex(crl) for crl in _case()["crls"]))
    two = TimestampAuthority("b", (root,), ("1.2.3", "1.2.4"), 5, True, lists)
    people = (PersonAuthority("state", (root,), lists),)
    trusts = [Trust(()), Trust((one,)), Trust((two,)), Trust((one,), people=people)]
    return [trust.to_bytes() for trust in trusts]


def kinds() -> list[Kind]:
    """All kinds of this file."""
    changes: dict[str, Change] = {".toml": change_lines, ".pem": _change_pem, ".crl": change_der}
    found = [
        Kind("trust", mixed(chosen(_trusts()), headed(change_cbor)),
             Trust.from_bytes, again=lambda trust: trust.to_bytes()),
    ]  # fmt: skip
    for name, samples in _samples().items():
        change = changes[name[name.rindex(".") :]]
        found.append(
            Kind(f"trust folder: {name.rpartition('/')[2]}",
                 mixed(chosen(samples), change), _reader(name), ERRORS)
        )  # fmt: skip
    return found
