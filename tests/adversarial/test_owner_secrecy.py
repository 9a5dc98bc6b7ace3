"""Secrets that an owner's vault must never give away: SPEC.md 6.2.

A hostile judge, or somebody in a judge's name, wants to see more triggers than the challenge
allows, or to see them under another name; anybody may read a log or a traceback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.dispute import CHEAP, PASSPHRASE, SHAPE, Claimant, asking, random_images, spent
from zkwm.judge.judge import Judge
from zkwm.owner.commit import commit, trigger_set
from zkwm.owner.consent import Consent
from zkwm.owner.prove import disclosure, prove
from zkwm.owner.vault import Vault
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, InvalidSignature, Malformed, UsageError, ZkwmError
from zkwm_protocols.opening import open_sealed


def test_a_judge_nobody_confirmed_gets_nothing(
    vault: Vault, commitment: Commitment, judge: Judge, fingerprint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        prove(vault, commitment, asking(judge, commitment))
    assert fingerprint not in caught.value.hint  # nothing to paste unread
    assert spent(vault, commitment) == set()


@pytest.mark.parametrize("given", ["", "aaaa", "another judge's", "a signing key's"])
def test_a_fingerprint_that_is_not_the_judges_gets_nothing(
    vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge, given: str
) -> None:
    wrong = {
        "another judge's": other_judge.public.fingerprint(),
        "a signing key's": judge.public.signing.fingerprint(),
    }.get(given, given)
    with pytest.raises(UsageError):
        prove(vault, commitment, asking(judge, commitment), judge_fingerprint=wrong)
    assert spent(vault, commitment) == set()
    assert vault.state.trusted_judges == []


def test_a_judge_in_anothers_name_with_their_own_box_gets_nothing(
    vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge, fingerprint: str
) -> None:
    """The adversary puts another box under the trusted judge's signing key."""
    prove(vault, commitment, asking(judge, commitment), judge_fingerprint=fingerprint)
    challenge = asking(judge, commitment)
    mixed = replace(challenge.judge, box=other_judge.public.box)
    forged = replace(challenge, judge=mixed)
    with pytest.raises(InvalidSignature):
        prove(vault, commitment, forged)
    with pytest.raises(InvalidSignature):
        disclosure(vault, commitment, forged)
    assert len(spent(vault, commitment)) == 1


def test_a_confirmed_judge_is_known_and_another_is_not(
    vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge, fingerprint: str
) -> None:
    first = asking(judge, commitment)
    assert not disclosure(vault, commitment, first).judge_known
    prove(vault, commitment, first, judge_fingerprint=fingerprint)
    reopened = Vault.open(vault.path, PASSPHRASE)
    assert disclosure(reopened, commitment, asking(judge, commitment)).judge_known
    prove(reopened, commitment, asking(judge, commitment), consent=Consent(again=True, last=True))
    with pytest.raises(UsageError):
        prove(reopened, commitment, asking(other_judge, commitment))


def test_an_opening_holds_its_blocks_and_nothing_of_the_others(
    vault: Vault, commitment: Commitment, judge: Judge, fingerprint: str
) -> None:
    challenge = asking(judge, commitment)
    proof = prove(vault, commitment, challenge, judge_fingerprint=fingerprint)
    blocks = open_sealed(commitment, challenge, proof, judge.key.box)
    images = trigger_set(vault, commitment).images
    (opened,) = blocks
    assert opened.block == 0
    shown = [trigger.pixels for trigger in opened.triggers if trigger is not None]
    assert np.array_equal(np.stack(shown), images[:50])
    own = vault.state.commitments[commitment.digest]
    plaintext = b"".join(image.tobytes() for image in shown) + b"".join(
        trigger.salt for trigger in opened.triggers if trigger is not None
    )
    for index in range(50, 200):
        assert images[index].tobytes() not in plaintext
        assert own.salts[32 * index : 32 * index + 32] not in plaintext
    for index in range(200):
        assert images[index].tobytes() not in proof.to_bytes()
        assert own.salts[32 * index : 32 * index + 32] not in proof.to_bytes()


def test_the_vault_of_another_owner_answers_nothing(
    commitment: Commitment, judge: Judge, fingerprint: str, tmp_path: Path
) -> None:
    stranger = Vault.create(tmp_path / "stranger.vault", PASSPHRASE, cost=CHEAP)
    commit(stranger, random_images(200), class_count=10)
    challenge = asking(judge, commitment)
    for act in (
        lambda: prove(stranger, commitment, challenge, judge_fingerprint=fingerprint),
        lambda: disclosure(stranger, commitment, challenge),
        lambda: trigger_set(stranger, commitment),
    ):
        with pytest.raises(UsageError):
            act()


def test_a_commitment_file_that_was_tampered_with_is_not_answered_for(
    vault: Vault, commitment: Commitment, judge: Judge, fingerprint: str
) -> None:
    """The header is the owner's, so its secrets are found; leaves or signature are not."""
    challenge = asking(judge, commitment)
    leaves = (bytes(32), *commitment.leaves[1:])
    with pytest.raises(Malformed):
        prove(
            vault,
            replace(commitment, leaves=leaves),
            challenge,
            judge_fingerprint=fingerprint,
        )
    with pytest.raises(InvalidSignature):
        prove(
            vault,
            replace(commitment, signatures=(bytes(64),)),
            challenge,
            judge_fingerprint=fingerprint,
        )
    assert spent(vault, commitment) == set()


def test_a_challenge_for_another_commitment_is_not_answered(
    vault: Vault, commitment: Commitment, judge: Judge, fingerprint: str
) -> None:
    """Two commitments of one vault: one is not emptied in the name of the other."""
    other = commit(vault, random_images(200, 1), class_count=10)
    challenge = asking(judge, commitment)
    with pytest.raises(InvalidOpening) as caught:
        prove(vault, other, challenge, judge_fingerprint=fingerprint)
    assert caught.value.check == "challenge.commitment"


def test_an_unreachable_challenge_is_not_answered(
    vault: Vault, judge: Judge, fingerprint: str
) -> None:
    """A judge's program that does not keep the rule: nothing is opened that could prove nothing."""
    small = commit(vault, random_images(20), class_count=10, block_size=10)
    honest = Claimant(random_images(200)).commitment
    challenge = replace(asking(judge, honest), commitment=small.digest, block_count=2).signed_by(
        judge.key.signing
    )
    with pytest.raises(InvalidOpening) as caught:
        prove(vault, small, challenge, judge_fingerprint=fingerprint)
    assert caught.value.check == "challenge.reachable"
    assert spent(vault, small) == set()


def secrets_of(vault: Vault, commitment: Commitment) -> list[bytes]:
    state = vault.state
    own = state.commitments[commitment.digest]
    return [state.seed, state.signing_key.to_bytes(), own.salts[:32], own.images[:64]]


def test_nothing_secret_in_reprs(
    vault: Vault, commitment: Commitment, judge: Judge, fingerprint: str
) -> None:
    challenge = asking(judge, commitment)
    proof = prove(vault, commitment, challenge, judge_fingerprint=fingerprint)
    state = vault.state
    shown = [
        vault,
        state,
        state.commitments[commitment.digest],
        state.ledger[0],
        trigger_set(vault, commitment),
        disclosure(vault, commitment, challenge),
        open_sealed(commitment, challenge, proof, judge.key.box),
        judge,
        judge.key,
    ]
    for item in shown:
        text = repr(item)
        for secret in [*secrets_of(vault, commitment), PASSPHRASE.encode()]:
            assert repr(secret)[2:-1] not in text
            assert secret.hex() not in text
        assert "array(" not in text


def test_nothing_secret_in_errors(vault: Vault, commitment: Commitment, judge: Judge) -> None:
    challenge = asking(judge, commitment)
    acts: list[Callable[[], object]] = [
        lambda: Vault.open(vault.path, PASSPHRASE + "x"),
        lambda: Vault.create(vault.path, PASSPHRASE),
        lambda: Judge.create(vault.path, PASSPHRASE),
        lambda: prove(vault, commitment, challenge),
        lambda: prove(vault, commitment, challenge, judge_fingerprint="x"),
        lambda: prove(vault, Claimant(random_images(50)).commitment, challenge),
        lambda: commit(vault, random_images(51), class_count=10),
        lambda: commit(vault, np.zeros((50, *SHAPE), np.uint8), class_count=10),
    ]
    secrets = [*secrets_of(vault, commitment), PASSPHRASE.encode()]
    for act in acts:
        with pytest.raises(ZkwmError) as caught:
            act()
        text = f"{caught.value!r} {caught.value.message} {caught.value.hint}"
        for secret in secrets:
            assert repr(secret)[2:-1] not in text
            assert secret.hex() not in text
