"""Several authorities of one judge: what is wrong with one of them is nothing to the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.certificate_authority import DAY, Revoked, certify, new_key, revocation_list
from tests.support.timestamp_tokens import DIGEST, TIME, TokenMaker
from zkwm_protocols.errors import (
    InvalidSignature,
    Malformed,
    TrustMaterialMissing,
    Unsupported,
    ZkwmError,
)
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.timestamps.verification import verify_with_any

MAKER = TokenMaker.new()
GOOD = MAKER.trusted(name="good")
WEAK = certify("Weak", new_key("rsa1024"), ca=True)
OTHER = TokenMaker.new(intermediate=False)
BAD: dict[str, TimestampAuthority] = {
    "a root with a weak key": GOOD.__class__("bad", (WEAK.der,), GOOD.policies),
    "a root that is none": GOOD.__class__("bad", (b"no certificate",), GOOD.policies),
    "another root": OTHER.trusted(name="bad"),
    "another policy": MAKER.trusted(name="bad", policies=("1.2.3",)),
    "a CRL that cannot be read": MAKER.trusted(name="bad", crls=(b"no list",)),
    "revocation that nobody answers": MAKER.trusted(name="bad", demand_revocation=True),
}


def refusal(*authorities: TimestampAuthority, **named: Any) -> ZkwmError:
    """The error where none of them dates the token."""
    with pytest.raises(ZkwmError) as caught:
        verify_with_any(MAKER.evidence(), DIGEST, authorities, **named)
    return caught.value


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_one_bad_authority_changes_nothing_for_another(bad: TimestampAuthority) -> None:
    """Before it or after it; alone it dates nothing."""
    for order in ((bad, GOOD), (GOOD, bad)):
        assert verify_with_any(MAKER.evidence(), DIGEST, order).authority == "good"
    refusal(bad)


@pytest.mark.parametrize("root", [WEAK.der, b"no certificate"])
def test_one_bad_root_changes_nothing_for_another_of_the_same_authority(root: bytes) -> None:
    both = replace(GOOD, roots=(root, *GOOD.roots))
    assert verify_with_any(MAKER.evidence(), DIGEST, (both,)).authority == "good"


def test_an_error_has_what_each_of_them_says() -> None:
    weak, other = BAD["a root with a weak key"], BAD["another policy"]
    found = refusal(replace(weak, name="weak"), OTHER.trusted(name="foreign"), other)
    assert isinstance(found, TrustMaterialMissing)
    assert found.check == "timestamp.chain"
    assert found.hint
    for words in ("weak: ", "an RSA key of 1024 bits", "foreign: no valid chain", "bad: the token"):
        assert words in found.message
    alike = refusal(*(TokenMaker.new().trusted(name=f"a{number}") for number in range(5)))
    assert alike.message.startswith("no valid chain")
    mixed = refusal(*(TokenMaker.new().trusted(name=f"a{number}") for number in range(5)), other)
    assert "a0, a1, a2 and 2 more: no valid chain" in mixed.message


def test_without_missing_material_the_class_is_that_of_the_first() -> None:
    """Weak or damaged roots alone could not be checked: exit code 3 and not 4."""
    weak, damaged = BAD["a root with a weak key"], BAD["a root that is none"]
    assert type(refusal(weak, damaged)) is Malformed  # which is found before a chain is built
    assert type(refusal(weak)) is Unsupported
    unanswered = BAD["revocation that nobody answers"]
    assert refusal(OTHER.trusted(name="a"), unanswered).check == "timestamp.revocation"


def test_a_revocation_that_one_of_them_knows_of_is_one_for_all() -> None:
    """The same key under two roots: the judge's list about the signer stands with one of them."""
    cross = certify("Cross", new_key("p256"), ca=True, start=TIME - 400 * DAY)
    issuer = certify("Issuing", MAKER.issuer.key, cross, ca=True, start=TIME - 400 * DAY)
    revoked = revocation_list(issuer, Revoked(MAKER.signer.certificate, TIME - DAY))
    knows = TimestampAuthority("knows", (cross.der,), GOOD.policies, crls=(revoked,))
    evidence = MAKER.evidence(certificates=(issuer.der,))
    assert verify_with_any(evidence, DIGEST, (GOOD,)).authority == "good"
    for order in ((GOOD, knows), (knows, GOOD)):
        with pytest.raises(InvalidSignature) as caught:
            verify_with_any(evidence, DIGEST, order)
        assert caught.value.check == "timestamp.revocation"
