"""Keys that stay in a token: SoftHSM signs for owner and judge, and what goes wrong with tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import CHEAP
from tests.support.soft_token import LABEL, PIN, address, needs_soft_token, soft_token
from zkwm.hardware_keys import TOKENS, HardwareKey, TokenAddress
from zkwm.judge.key_file import JudgeKey, create_judge_key, open_judge_key
from zkwm.owner.commit import commit
from zkwm.owner.key_statements import revoke_key
from zkwm.owner.vault import Vault
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.key_contents import RevocationReason
from zkwm_protocols.cose.statement import SignedStatement
from zkwm_protocols.errors import Malformed, UsageError, VaultUnusable
from zkwm_protocols.keys import ECDSA_P256, ED25519, PublicKey

PHRASE, DIGEST = "five words for the tests", b"d" * 32


@pytest.fixture(scope="module")
def make() -> Callable[[str, str], None]:
    """A token with key pairs of both kinds, and a function that makes more."""
    return soft_token()


@pytest.fixture(autouse=True)
def token(request: pytest.FixtureRequest) -> Iterator[None]:
    """Its PIN is known, and it is closed before and after."""
    if "make" in request.fixturenames:
        request.getfixturevalue("make")
    TOKENS.close()
    TOKENS.ask_pin = lambda _: PIN
    yield
    TOKENS.close()
    TOKENS.ask_pin = None


def key(name: str) -> HardwareKey:
    return HardwareKey.find(TokenAddress.from_text(address(name)))


@needs_soft_token
@pytest.mark.usefixtures("make")
@pytest.mark.parametrize(("name", "algorithm"), [("ed", ED25519), ("p256", ECDSA_P256)])
def test_a_token_signs_what_a_vault_signs(name: str, algorithm: str, tmp_path: Path) -> None:
    found = key(name)
    assert found.algorithm == algorithm
    for _ in range(8):  # s is at most n // 2, whatever the token gives
        found.public.verify("test", DIGEST, found.sign("test", DIGEST))
    vault = Vault.create(tmp_path / "v", PHRASE, cost=CHEAP, signing=found)
    assert vault.state.signing_key == found
    TOKENS.close()
    opened = Vault.open(tmp_path / "v", PHRASE)
    made = commit(opened, class_count=10, shape=(1, 16, 16), generate_count=50)
    assert Commitment.from_bytes(made.to_bytes()).header.owner_keys == (found.public,)
    revocation = revoke_key(opened.state.signing_key, RevocationReason.LOST, 1)
    assert SignedStatement.from_bytes(revocation.to_bytes()).key == found.public


@needs_soft_token
@pytest.mark.usefixtures("make")
def test_a_judge_signs_by_a_token_and_has_decoys_of_their_own(tmp_path: Path) -> None:
    made = create_judge_key(tmp_path / "judge.key", PHRASE, cost=CHEAP, signing=key("ed"))
    TOKENS.close()
    opened = open_judge_key(tmp_path / "judge.key", PHRASE)
    assert opened.public == made.public
    assert opened.decoy_key(DIGEST, 1) == made.decoy_key(DIGEST, 1)
    assert opened.decoy_key(DIGEST, 1) != JudgeKey.in_token(key("ed")).decoy_key(DIGEST, 1)
    opened.public.signing.verify("verdict", DIGEST, opened.signing.sign("verdict", DIGEST))


@needs_soft_token
@pytest.mark.usefixtures("make")
def test_the_secret_does_not_leave_the_token() -> None:
    found = key("ed")
    with pytest.raises(UsageError):
        found.to_bytes()
    assert PIN not in repr(found)
    assert PIN not in found.address.to_text()


@needs_soft_token
@pytest.mark.usefixtures("make")
def test_another_key_of_the_same_name_signs_nothing() -> None:
    """Somebody plugs in a token of their own, with the same labels."""
    other = HardwareKey(key("ed").address, PublicKey(ED25519, bytes([88]) + bytes([102]) * 31))
    with pytest.raises(VaultUnusable, match="another one"):
        other.sign("test", DIGEST)


@needs_soft_token
@pytest.mark.usefixtures("make")
def test_a_wrong_pin_is_tried_once_and_told_to_nobody() -> None:
    asked: list[str] = []

    def wrong(token: str) -> str:
        asked.append(token)
        return "000000"

    TOKENS.ask_pin = wrong
    with pytest.raises(VaultUnusable, match="PIN") as caught:
        key("ed")
    assert asked == [LABEL]
    assert "000000" not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None
    TOKENS.ask_pin = None
    with pytest.raises(UsageError):
        key("ed")


@needs_soft_token
def test_keys_that_are_not_there_twice_or_of_another_curve(
    make: Callable[[str, str], None],
) -> None:
    make("twice", "ed25519")
    make("twice", "ed25519")
    make("p384", "secp384r1")
    for name in ("none", "twice", "p384"):
        with pytest.raises(UsageError):
            key(name)
    with pytest.raises(VaultUnusable, match="no token labeled 'no such token'"):
        HardwareKey.find(TokenAddress.from_text(address("ed", "no such token")))
    nowhere = address("ed").rpartition("=")[0] + "=/nowhere.so"
    with pytest.raises(VaultUnusable, match=r"no PKCS #11 library /nowhere\.so"):
        HardwareKey.find(TokenAddress.from_text(nowhere))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "token=a;object=b?module-path=/m",
        "pkcs11:token=a;object=b",
        "pkcs11:token=a;object=b?module-path=m.so",
        "pkcs11:token=;object=b?module-path=/m",
        "pkcs11:token=a;token=a;object=b?module-path=/m",
        "pkcs11:token=a;object=b;serial=1?module-path=/m",
        "pkcs11:token=a;object=b%0a?module-path=/m",
        "pkcs11:token=a;object=b?module-path=/m&pin-value=1234",
        "pkcs11:token=a;object=b?module-path=/m&pin-source=file:/pin",
        f"pkcs11:token=a;object=b?module-path=/{'m' * 500}",
    ],
)
def test_addresses_that_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        TokenAddress.from_text(text)
    assert "1234" not in caught.value.message


def test_an_address_is_read_back() -> None:
    found = TokenAddress("my token; 1", "key/1", "/usr/lib/x.so")
    assert TokenAddress.from_text(found.to_text()) == found
    with pytest.raises(Malformed):
        HardwareKey.from_map({"token": "pkcs11:", "public": {}})
