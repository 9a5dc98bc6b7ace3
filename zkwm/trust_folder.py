"""Whom a judge trusts, from a folder of standard files (SPEC.md 24.2).

::

    trust.toml                      authorities_needed = 1; perhaps log_dates = true
    authorities/NAME/authority.toml policies = ["1.2.3"]; perhaps demand_revocation = false,
                                    accuracy_microseconds = 500000
    authorities/NAME/*.pem          root certificates (RFC 7468)
    authorities/NAME/*.crl          certificate revocation lists that the judge has (RFC 5280, DER)
    log-policy                      a C2SP tlog-policy
    people/NAME/*.pem, *.crl        roots of an authority that knows persons, and its CRLs
    statements/*.tlog-proof         logged statements about keys, as zkwm key show --log saves them
    owners/NAME.pem                 the public key of an owner (RFC 7468, SubjectPublicKeyInfo)

Strict: a file that belongs to nothing is refused, for it would be trusted by whoever put it there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkwm.files import read_limited
from zkwm_protocols.errors import InvalidSignature, Malformed, UsageError, ZkwmError
from zkwm_protocols.keys import ECDSA_P256, ED25519, PublicKey
from zkwm_protocols.person_authority import PersonAuthority
from zkwm_protocols.schema import require_boolean, require_integer, require_list, require_text
from zkwm_protocols.timestamps.authority import (
    ASSUMED_ACCURACY,
    MAXIMUM_ACCURACY,
    MAXIMUM_LISTS_BYTES,
    MAXIMUM_POLICIES,
    TimestampAuthority,
)
from zkwm_protocols.trust import (
    MOST_AUTHORITIES,
    MOST_LOG_POLICY,
    MOST_OWNERS,
    MOST_STATEMENTS,
    Trust,
    require_name,
)

if TYPE_CHECKING:
    from zkwm_protocols.cose.logged_statement import LoggedStatement

SETTINGS = "trust.toml"
_AUTHORITIES, _OWNERS, _LOG_POLICY = "authorities", "owners", "log-policy"
_PEOPLE, _STATEMENTS = "people", "statements"
_AUTHORITY = "authority.toml"
_SETTINGS_LIMIT = 64 << 10
_PEM_LIMIT = 256 << 10
_MOST_FILES = 64
_CERTIFICATES = (".crt", ".cer", ".der")
_CONVERT = "convert it: openssl x509 -inform DER -in FILE -out FILE.pem"


def is_trust_folder(path: str | Path) -> bool:
    """Whether this is a folder with the settings of one."""
    return (Path(path) / SETTINGS).is_file()


def read_trust(folder: str | Path) -> Trust:
    """Whom the judge of this folder trusts.

    Raises Malformed for a file that is not of its format or belongs to nothing, CouldNotCheck for
    one that cannot be read, UsageError where there is no such folder.
    """
    root = Path(folder)
    if not is_trust_folder(root):
        raise UsageError(
            f"{folder} is no trust folder: it has no {SETTINGS}",
            hint=f"make the folder, and in it {SETTINGS} with the line authorities_needed = 1",
        )
    settings = _settings(root / SETTINGS, {"authorities_needed"}, {"log_dates"})
    _require_known(root, {SETTINGS, _AUTHORITIES, _OWNERS, _LOG_POLICY, _PEOPLE, _STATEMENTS})
    with _naming(root / SETTINGS):
        return Trust(
            tuple(_authority(one) for one in _entries(root / _AUTHORITIES, MOST_AUTHORITIES)),
            require_integer(settings["authorities_needed"], MOST_AUTHORITIES, 1),
            _bytes(root / _LOG_POLICY),
            require_boolean(settings.get("log_dates", False)),
            tuple(_owner(one) for one in _entries(root / _OWNERS, MOST_OWNERS)),
            tuple(_person_authority(one) for one in _entries(root / _PEOPLE, MOST_AUTHORITIES)),
            tuple(_statement(one) for one in _entries(root / _STATEMENTS, MOST_STATEMENTS)),
        )


def _person_authority(folder: Path) -> PersonAuthority:
    """An authority that the judge trusts to know persons (SPEC.md 26.6). Raises Malformed."""
    with _naming(folder):
        files = _entries(folder, _MOST_FILES)
        others = [file for file in files if file.suffix not in (".pem", ".crl")]
        if others:
            raise _unknown(others[0])
        roots = {root for file in files if file.suffix == ".pem"
                 for root in read_certificates(file)}  # fmt: skip
        lists = {_read_list(file) for file in files if file.suffix == ".crl"}
        return PersonAuthority(
            require_name(folder.name), tuple(sorted(roots)), tuple(sorted(lists))
        )


def _statement(path: Path) -> LoggedStatement:
    """A logged statement about a key. Raises Malformed, also for one about something else."""
    from zkwm_protocols.cose.logged_statement import LoggedStatement
    from zkwm_protocols.transparency.proof_file import FILE_LIMIT

    if path.suffix != ".tlog-proof":
        raise _unknown(path)
    with _naming(path):
        try:
            found = LoggedStatement.from_bytes(read_limited(path, FILE_LIMIT, regular=True))
        except InvalidSignature as error:
            raise Malformed(error.message, hint=error.hint) from None
        if not found.is_about_a_key:
            raise Malformed("this statement is not about a key")
    return found


def _authority(folder: Path) -> TimestampAuthority:
    """The authority of one folder. Raises Malformed."""
    path = folder / _AUTHORITY
    settings = _settings(path, {"policies"}, {"demand_revocation", "accuracy_microseconds"})
    roots: set[bytes] = set()
    lists: set[bytes] = set()
    for one in _entries(folder, _MOST_FILES):
        if one.suffix == ".pem":
            roots |= set(_read_roots(one))
        elif one.suffix == ".crl":
            lists.add(_read_list(one))
        elif one.name != _AUTHORITY:
            raise _unknown(one)
    if not roots:
        raise Malformed(
            f"{folder} has no root certificate",
            hint="put the authority's root into it, as a file in PEM whose name ends in .pem",
        )
    with _naming(path):
        require_name(folder.name)
        policies = require_list(settings["policies"], 1, MAXIMUM_POLICIES)
        return TimestampAuthority(
            name=folder.name,
            roots=tuple(sorted(roots)),
            policies=tuple(sorted({require_text(policy, 500) for policy in policies})),
            accuracy=require_integer(
                settings.get("accuracy_microseconds", ASSUMED_ACCURACY), MAXIMUM_ACCURACY
            ),
            demand_revocation=require_boolean(settings.get("demand_revocation", True)),
            crls=tuple(sorted(lists)),
        )


def _read_roots(path: Path) -> list[bytes]:
    """The root certificates of a PEM file, DER. Raises Malformed for one that is no CA's."""
    from cryptography import x509

    from zkwm_protocols.timestamps.chain import extension_of, load_certificate

    found = read_certificates(path)
    for data in found:
        try:
            certificate = load_certificate(data)
        except Malformed as error:
            raise Malformed(f"{path} has {error.message}", hint=_CONVERT) from None
        usage = extension_of(certificate, x509.BasicConstraints)
        if usage is not None and not usage.value.ca:
            raise Malformed(
                f"{path} has the certificate of {certificate.subject.rfc4514_string()[:100]!r}, "
                "which is no CA's",
                hint="an authority is trusted by the root at the top of its chain; take out the "
                "certificates of signers",
            )
    return found


def _read_list(path: Path) -> bytes:
    """A certificate revocation list, DER. Raises Malformed, CouldNotCheck."""
    from zkwm_protocols.timestamps.crl import load_crl

    data = read_limited(path, MAXIMUM_LISTS_BYTES, regular=True)
    try:
        load_crl(data)
    except Malformed:
        raise Malformed(
            f"{path} is no certificate revocation list in DER",
            hint="convert it: openssl crl -in FILE -outform DER -out FILE.crl",
        ) from None
    return data


def read_certificates(path: str | Path) -> list[bytes]:
    """The certificates of a PEM file, DER. Raises Malformed, CouldNotCheck."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.utils import CryptographyDeprecationWarning

    from zkwm_protocols.timestamps.chain import quiet

    try:
        with quiet():
            found = x509.load_pem_x509_certificates(read_limited(path, _PEM_LIMIT, regular=True))
        return [certificate.public_bytes(Encoding.DER) for certificate in found]
    except (ValueError, x509.InvalidVersion, CryptographyDeprecationWarning):
        raise Malformed(
            f"{path} has no certificates in PEM that can be read",
            hint=_CONVERT,
        ) from None


def _owner(path: Path) -> tuple[str, PublicKey]:
    """The name and key of an owner. Raises Malformed."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_public_key,
    )

    if path.suffix != ".pem":
        raise _unknown(path)
    with _naming(path):
        name = require_name(path.stem)
        try:
            key = load_pem_public_key(read_limited(path, _PEM_LIMIT, regular=True))
        except (ValueError, TypeError, UnsupportedAlgorithm, ZkwmError):
            raise Malformed("no public key in PEM") from None
        if isinstance(key, ed25519.Ed25519PublicKey):
            return name, PublicKey(ED25519, key.public_bytes(Encoding.Raw, PublicFormat.Raw))
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            compressed = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
            return name, PublicKey(ECDSA_P256, compressed)
        raise Malformed("an owner's key is of Ed25519 or P-256")


def _bytes(log_policy: Path) -> bytes | None:
    """The bytes of the log policy, where there is one."""
    if not log_policy.exists():
        return None
    return read_limited(log_policy, MOST_LOG_POLICY, regular=True)


def _entries(folder: Path, most: int) -> list[Path]:
    """What lies in a folder, by name; nothing where there is none. Raises Malformed."""
    if not folder.exists():
        return []
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise Malformed(f"{folder} is no folder that can be read: {error.strerror}") from None
    if len(found) > most:
        raise Malformed(f"{folder} has more than {most} entries")
    return found


def _require_known(folder: Path, names: set[str]) -> None:
    """Raise Malformed for an entry that has none of these names."""
    for one in _entries(folder, len(names) + 1):
        if one.name not in names:
            raise _unknown(one)


def _unknown(path: Path) -> Malformed:
    """The error for a file that belongs to nothing."""
    hint = "take it out of the folder; docs/registration.md says what lies where"
    if path.suffix.lower() in _CERTIFICATES:
        hint = f"a certificate is PEM, and its name ends in .pem: {_CONVERT}"
    return Malformed(f"{path} belongs to nothing in a trust folder", hint=hint)


def _settings(path: Path, needed: set[str], allowed: Set[str] = frozenset()) -> dict[str, Any]:
    """The settings of a TOML file: all that are needed, and some that are allowed.

    Raises Malformed.
    """
    if not path.exists():
        raise Malformed(f"{path} is missing", hint=_example(path))
    try:
        values = tomllib.loads(read_limited(path, _SETTINGS_LIMIT, regular=True).decode())
    except (ValueError, RecursionError):
        raise Malformed(f"{path} is not TOML", hint=_example(path)) from None
    for name in sorted(set(values) - needed - allowed) + sorted(needed - set(values)):
        what = "missing" if name in needed else "unknown"
        raise Malformed(f"{path}: the setting {name[:40]!r} is {what}", hint=_example(path))
    return values


def _example(path: Path) -> str:
    """What such a file has, as a hint."""
    if path.suffix == ".pem":
        return "give the owner's public key, of Ed25519 or P-256: openssl pkey -in KEY -pubout"
    if path.name == SETTINGS:
        return "write into it: authorities_needed = 1"
    return 'write into it the policies of the authority, such as: policies = ["1.2.3.4.1"]'


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors about the content of a file name it, unless they name one already."""
    try:
        yield
    except Malformed as error:
        if str(path.parent) in error.message:
            raise
        raise Malformed(f"{path}: {error.message}", hint=error.hint or _example(path)) from None
