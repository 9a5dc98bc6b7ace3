"""A token of SoftHSM (Debian: softhsm2) with key pairs for tests."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pytest

PIN, LABEL = "471147", "zkwm test"
_PLACES = ("/usr/lib/softhsm", "/usr/lib/x86_64-linux-gnu/softhsm", "/usr/local/lib/softhsm")
_FOUND = [path for place in _PLACES if (path := Path(place, "libsofthsm2.so")).exists()]
_ED25519 = b"\x13\x0cedwards25519"

needs_soft_token = pytest.mark.skipif(
    not _FOUND or shutil.which("softhsm2-util") is None, reason="SoftHSM 2 is not installed"
)


def address(name: str, label: str = LABEL) -> str:
    """The address of a key pair."""
    return f"pkcs11:token={quote(label)};object={name}?module-path={_FOUND[0]}"


@cache
def soft_token() -> Callable[[str, str], None]:
    """The token of this process, with the key pairs ``ed`` and ``p256``.

    Returns a function that makes another one: its name, and ``ed25519`` or another curve. SoftHSM
    reads its configuration once, when a process first loads it.
    """
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    folder = Path(tempfile.mkdtemp(prefix="zkwm-token-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN,
         "--so-pin", "12345678"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip

    def make(name: str, curve: str) -> None:
        token = pkcs11.lib(str(_FOUND[0])).get_token(token_label=LABEL)
        edwards = curve == "ed25519"
        kind = pkcs11.KeyType.EC_EDWARDS if edwards else pkcs11.KeyType.EC
        parameters = _ED25519 if edwards else encode_named_curve_parameters(curve)
        with token.open(rw=True, user_pin=PIN) as session:
            domain = session.create_domain_parameters(
                kind, {pkcs11.Attribute.EC_PARAMS: parameters}, local=True
            )
            made_by = pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN if edwards else None
            domain.generate_keypair(mechanism=made_by, store=True, label=name)

    make("ed", "ed25519")
    make("p256", "secp256r1")
    return make
