"""Signing keys that stay in a hardware token, by PKCS #11 (RFC 7512 names them).

A vault or a judge's key file keeps the token's name and the public key; the secret never leaves the
token. Every signature is verified before it is used: a token is not trusted to sign rightly.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from zkwm.extras import require
from zkwm_protocols.errors import InvalidSignature, Malformed, UsageError, VaultUnusable
from zkwm_protocols.keys import ECDSA_P256, ED25519, P256_ORDER, PublicKey, SigningKey
from zkwm_protocols.schema import require_map, require_text

LONGEST_ADDRESS = 500
_SCHEME = "pkcs11:"
_ED25519_CURVES = (bytes.fromhex("06032b6570"), b"\x13\x0cedwards25519")
"""EC_PARAMS of Ed25519: its object identifier (RFC 8410), or its name (PKCS #11 3.0)."""
_P256_CURVE = bytes.fromhex("06082a8648ce3d030107")
_LABEL = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_SIGNING = threading.RLock()
"""A session of a token does one thing at a time."""


@dataclass(frozen=True)
class TokenAddress:
    """Where a key is: ``pkcs11:token=T;object=O?module-path=M`` (RFC 7512).

    Args:
        token: the token's label.
        object: the label of the key pair in it.
        module: the token's PKCS #11 library, a whole path.

    Raises UsageError for a value that is empty or not printable, or a path that is not whole.
    """

    token: str
    object: str
    module: str

    def __post_init__(self) -> None:
        if not (_LABEL.fullmatch(self.token) and _LABEL.fullmatch(self.object)):
            raise _no_address("token and object are names of 1 to 200 characters")
        if not (_LABEL.fullmatch(self.module) and self.module.startswith("/")):
            raise _no_address("module-path is the whole path of the token's library")

    @classmethod
    def from_text(cls, text: str) -> TokenAddress:
        """Read an address. Raises UsageError, also for one that holds a PIN."""
        path, _, query = text.removeprefix(_SCHEME).partition("?")
        parts = [*path.split(";"), *(query.split("&") if query else ())]
        found: dict[str, str] = {}
        for part in parts:
            name, equals, value = part.partition("=")
            if name in ("pin-value", "pin-source"):
                raise _no_address("it has no PIN in it: others can read what a command is given")
            if not equals or name in found or name not in ("token", "object", "module-path"):
                raise _no_address("it has token, object and module-path, each once")
            found[name] = unquote(value, errors="strict")
        if not text.startswith(_SCHEME) or len(text) > LONGEST_ADDRESS or len(found) != 3:
            raise _no_address("it has token, object and module-path, each once")
        return cls(found["token"], found["object"], found["module-path"])

    def to_text(self) -> str:
        """The address."""
        token, name = quote(self.token, safe=""), quote(self.object, safe="")
        return f"{_SCHEME}token={token};object={name}?module-path={quote(self.module)}"


class HardwareKey(SigningKey):
    """A signing key in a token; ``repr`` shows its fingerprint.

    Make one with ``HardwareKey.find``. It signs once ``TOKENS.ask_pin`` has given a PIN.
    """

    def __init__(self, address: TokenAddress, public: PublicKey) -> None:
        """A key that was found before; the token is asked when something is signed."""
        self.address = address
        self._public = public

    @classmethod
    def find(cls, address: TokenAddress) -> HardwareKey:
        """The key pair at an address.

        Raises VaultUnusable where the token is not there or refuses the PIN, UsageError where it
        has no such key of Ed25519 or P-256, or several.
        """
        return cls(address, TOKENS.public(address))

    def to_bytes(self) -> bytes:
        """Raises UsageError: the secret stays in the token."""
        raise UsageError(
            f"the secret key is in the token {self.address.token!r}, and does not leave it",
            hint="do this with a key in a file",
        )

    def sign(self, purpose: str, digest: bytes) -> bytes:
        """As ``SigningKey.sign``, by the token; verified. Raises VaultUnusable or UsageError."""
        signature = super().sign(purpose, digest)
        with self._verified():
            self.public.verify(purpose, digest, signature)
        return signature

    def sign_cose(self, sig_structure: bytes) -> bytes:
        """As ``SigningKey.sign_cose``, by the token; verified. Raises what ``sign`` raises, too."""
        signature = super().sign_cose(sig_structure)
        with self._verified():
            self.public.verify_cose(sig_structure, signature)
        return signature

    def sign_dsse(self, encoding: bytes) -> bytes:
        """As ``SigningKey.sign_dsse``, by the token; verified. Raises what ``sign`` raises, too."""
        signature = super().sign_dsse(encoding)
        with self._verified():
            self.public.verify_dsse(encoding, signature)
        return signature

    def _sign(self, message: bytes) -> bytes:
        """The token's signature of exactly these bytes."""
        return TOKENS.sign(self.address, self.algorithm, message)

    @contextmanager
    def _verified(self) -> Iterator[None]:
        """A signature that does not verify is another key's."""
        try:
            yield
        except InvalidSignature:
            raise VaultUnusable(
                f"the key in the token {self.address.token!r} is another one than before",
                hint="plug in the token with which the file was made",
            ) from None

    def to_map(self) -> dict[str, Any]:
        """The CBOR map ``SigningToken``."""
        return {"token": self.address.to_text(), "public": self._public.to_map()}

    @classmethod
    def from_map(cls, value: object) -> HardwareKey:
        """Read ``to_map``; the token is not asked. Raises Malformed or Unsupported."""
        fields = require_map(value, "token public", "key in a token")
        try:
            address = TokenAddress.from_text(require_text(fields["token"], LONGEST_ADDRESS))
        except UsageError:
            raise Malformed("the address of a key in a token") from None
        return cls(address, PublicKey.from_map(fields["public"]))


class Tokens:
    """The tokens that this process has opened, each by its PIN once.

    ``ask_pin`` gets the token's label and returns the PIN; by default nobody is asked.
    """

    def __init__(self) -> None:
        self.ask_pin: Callable[[str], str] | None = None
        self._sessions: dict[tuple[str, str], Any] = {}

    def public(self, address: TokenAddress) -> PublicKey:
        """The public key at an address. Raises VaultUnusable or UsageError."""
        with _reporting(address):
            import pkcs11

            key = self._one(address, pkcs11.ObjectClass.PUBLIC_KEY)
            curve = bytes(key[pkcs11.Attribute.EC_PARAMS])
            point = _point(bytes(key[pkcs11.Attribute.EC_POINT]))
        if curve in _ED25519_CURVES:
            return PublicKey(ED25519, point)
        if curve == _P256_CURVE and len(point) == 65:
            return PublicKey(ECDSA_P256, bytes([2 + (point[-1] & 1)]) + point[1:33])
        raise UsageError(
            f"the key {address.object!r} in the token is of neither Ed25519 nor P-256",
            hint="make such a key pair in the token, and name it",
        )

    def sign(self, address: TokenAddress, algorithm: str, message: bytes) -> bytes:
        """The signature of a message, 64 bytes, s brought to at most n // 2.

        Raises VaultUnusable or UsageError.
        """
        with _reporting(address):
            import pkcs11

            key = self._one(address, pkcs11.ObjectClass.PRIVATE_KEY)
            if algorithm == ED25519:
                return bytes(key.sign(message, mechanism=pkcs11.Mechanism.EDDSA))
            digest = hashlib.sha256(message).digest()
            signature = bytes(key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA))
        s = int.from_bytes(signature[32:], "big")
        return signature[:32] + min(s, P256_ORDER - s).to_bytes(32, "big")

    def close(self) -> None:
        """Log out of all tokens."""
        with _SIGNING:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()

    def _one(self, address: TokenAddress, kind: Any) -> Any:  # noqa: ANN401
        """The one object of a kind at an address."""
        import pkcs11

        wanted = {pkcs11.Attribute.CLASS: kind, pkcs11.Attribute.LABEL: address.object}
        found = list(self._session(address).get_objects(wanted))
        if len(found) != 1:
            raise UsageError(
                f"the token {address.token!r} has {len(found) or 'no'} keys named "
                f"{address.object!r}",
                hint="name a key pair that the token has once; pkcs11-tool -O lists them",
            )
        return found[0]

    def _session(self, address: TokenAddress) -> Any:  # noqa: ANN401
        """The open session with a token; its PIN is asked for the first time."""
        import pkcs11

        place = (address.module, address.token)
        if place not in self._sessions:
            if self.ask_pin is None:
                raise UsageError(
                    f"the PIN of the token {address.token!r} is needed",
                    hint="set zkwm.hardware_keys.TOKENS.ask_pin",
                )
            token = pkcs11.lib(address.module).get_token(token_label=address.token)
            self._sessions[place] = token.open(user_pin=self.ask_pin(address.token))
        return self._sessions[place]


TOKENS = Tokens()
"""Of this process."""


@contextmanager
def _reporting(address: TokenAddress) -> Iterator[None]:
    """One use of a token at a time; its errors without the PIN. Raises VaultUnusable."""
    require("pkcs11")
    from pkcs11 import exceptions

    try:
        with _SIGNING:
            yield
    except (exceptions.PinIncorrect, exceptions.PinInvalid, exceptions.PinLenRange):
        raise VaultUnusable(
            f"the token {address.token!r} refuses the PIN",
            hint="try again; after a few wrong PINs a token locks itself",
        ) from None
    except exceptions.PinLocked:
        raise VaultUnusable(
            f"the token {address.token!r} has locked itself after wrong PINs",
            hint="unlock it with the security officer's PIN",
        ) from None
    except exceptions.NoSuchToken:
        raise VaultUnusable(
            f"there is no token labeled {address.token!r} at {address.module}",
            hint="plug it in, or correct its label; pkcs11-tool -L lists the tokens of a library",
        ) from None
    except (exceptions.PKCS11Error, RuntimeError) as error:
        if not Path(address.module).is_file():
            raise VaultUnusable(
                f"there is no PKCS #11 library {address.module}",
                hint="install the token's software, or correct module-path of its address",
            ) from None
        raise VaultUnusable(
            f"the token {address.token!r} cannot be used: {type(error).__name__}",
            hint=f"plug it in, and see that {address.module} is its PKCS #11 library",
        ) from None


def _point(encoded: bytes) -> bytes:
    """A point out of the OCTET STRING that PKCS #11 wraps it in; some tokens do not."""
    if len(encoded) > 2 and encoded[0] == 4 and encoded[1] == len(encoded) - 2:
        return encoded[2:]
    return encoded


def _no_address(what: str) -> UsageError:
    return UsageError(
        f"not the address of a key in a token: {what}",
        hint="write pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/softhsm/libsofthsm2.so",
    )
