"""Small files that people name on the command line or in settings: headers, lists, secrets."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.fuzz.byte_changes import change_bytes, chosen, mixed
from tests.fuzz.disk import from_disk
from tests.fuzz.harness import Errors, Kind
from tests.fuzz.text_changes import change_json, change_lines
from tests.support.stored_vectors import cases
from zkwm.suspects.http_connection import EndpointConnection
from zkwm.suspects.http_suspect import HttpSuspect
from zkwm.suspects.limits import HttpSettings
from zkwm_cli.challenge_options import CaseTerms
from zkwm_cli.consent import ConsentOptions
from zkwm_cli.hardening import Role
from zkwm_cli.passphrases import passphrase
from zkwm_cli.suspect_options import SuspectOptions
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import (
    CouldNotCheck,
    InvalidOpening,
    Malformed,
    UsageError,
    ZkwmError,
)

_URL = "http://127.0.0.1:1/"
_SECRET = "s3cr3t-T0ken"
_FILE_ERRORS: Errors = (UsageError, Malformed)


def _secretly(read: Callable[[Path], object]) -> Callable[[Path], object]:
    """A reader none of whose errors shows the secret."""

    def reader(path: Path) -> object:
        try:
            return read(path)
        except ZkwmError as error:
            if _SECRET in f"{error.message}{error.hint}":
                raise AssertionError("an error shows the secret") from None
            raise

    return reader


def _only(options: type[Any], **given: object) -> Any:
    """Options of a command of which only these were given."""
    return options(**{field.name: given.get(field.name) for field in fields(options)})


def header_kind() -> Kind:
    """Headers for an endpoint, up to the endpoint that would be asked with them."""
    samples = [
        f"Authorization: Bearer {_SECRET}\nX-Tenant: a\n".encode(),
        f"x-api-key: {_SECRET}\r\n\r\nAccept: */*".encode(),
        "".join(f"X-{number}: {_SECRET}\n" for number in range(64)).encode(),
    ]

    def read(path: Path) -> object:
        headers = _only(SuspectOptions, header_file=str(path)).settings()["headers"]
        suspect = HttpSuspect(
            _URL, shape=(1, 2, 2), outputs=2, headers=headers, settings=HttpSettings()
        )
        suspect.check_account(suspect.identity.account)
        if not headers:
            raise UsageError("no headers")
        return suspect

    return Kind("HTTP headers", mixed(chosen(samples), change_lines),
                from_disk("headers.txt", _secretly(read)), _FILE_ERRORS)  # fmt: skip


def class_map_kind() -> Kind:
    """A class map, up to the challenge that holds it."""
    stored: Any = Challenge.from_bytes(cases()[0].challenge)
    policy = replace(stored.policy, threshold_bits=30)  # in reach when a map is charged
    challenge = replace(stored, suspect_classes=None, policy=policy)
    commitment = Commitment.from_bytes(cases()[0].commitment)
    classes = commitment.header.class_count
    samples = [list(challenge.class_map), list(range(classes)), [0, 2, 1]]

    def read(path: Path) -> object:
        found = _only(CaseTerms, class_map=str(path)).read_class_map()
        asked = replace(challenge, class_map=found)
        asked.verify_against(commitment)
        return asked.class_map

    return Kind("class map", mixed(chosen([json.dumps(one).encode() for one in samples]),
                                   change_json),
                from_disk("map.json", read), (Malformed, InvalidOpening))  # fmt: skip


def trusted_judges_kind() -> Kind:
    """A list of trusted judges: one who is not on it gets nothing."""
    judge = Challenge.from_bytes(cases()[0].challenge).judge.fingerprint()
    other = "ab" * (len(judge) // 2)
    samples = [
        f"# judges\n{other}\n{judge}  # the court\n".encode(),
        f"{judge.upper()}\r\n{other}\r\n".encode(),
        f"{other}\n".encode(),
    ]
    release: Any = SimpleNamespace(
        judge_fingerprint=judge, repeated=False, judge_known=False, argument=None
    )

    def read(path: Path) -> object:
        options = _only(ConsentOptions, trusted_judges=str(path))
        assert options.confirm(release, options.read_trusted()) == judge
        assert judge.encode() in path.read_bytes().lower()
        return judge

    return Kind("trusted judges", mixed(chosen(samples), change_lines),
                from_disk("judges.txt", read), _FILE_ERRORS)  # fmt: skip


def passphrase_kind() -> Kind:
    """A file whose first line is a passphrase."""
    samples = [f"{_SECRET} five random words\n".encode(), "é ß \u4e2d\r\nmore\n".encode(), b"x"]

    def read(path: Path) -> object:
        return passphrase(str(path), of="owner.vault", role=Role.OWNER)

    return Kind("passphrase", mixed(chosen(samples), change_lines),
                from_disk("passphrase.txt", _secretly(read)),
                (UsageError, CouldNotCheck))  # fmt: skip


@functools.cache
def _certificate() -> x509.Certificate:
    """A root, always the same."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a root")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2046, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .sign(key, None)
    )


def authorities_kind() -> Kind:
    """Certificate authorities that an endpoint's certificate is checked with, in PEM."""
    pem, der = (_certificate().public_bytes(form) for form in (Encoding.PEM, Encoding.DER))
    samples = [pem, b"# the root\n" + pem + pem, der]

    def change(data: bytes, random: Random) -> bytes:
        """Lines of the file, or the certificate in it with its base64 put right."""
        if random.random() < 0.4:
            return change_lines(data, random)
        text = base64.encodebytes(change_bytes(der, random))
        label = random.choice([b"CERTIFICATE"] * 6 + [b"TRUSTED CERTIFICATE", b"X509 CRL", b""])
        made = b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label, text, label)
        return made if random.random() < 0.5 else data + made

    def read(path: Path) -> object:
        settings = HttpSettings(certificate_authorities=path)
        return EndpointConnection("https://suspect.example/", {}, settings)

    return Kind("certificate authorities", mixed(chosen(samples), change),
                from_disk("roots.pem", read), _FILE_ERRORS)  # fmt: skip


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [header_kind(), class_map_kind(), trusted_judges_kind(), passphrase_kind(),
            authorities_kind()]  # fmt: skip
