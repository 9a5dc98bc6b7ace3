"""``zkwm.owner.commit``: committing, labels for embedding, disclosure, answering."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.dispute import (
    CHEAP,
    PASSPHRASE,
    SHAPE,
    TableSuspect,
    asking,
    new_judge,
    random_images,
)
from zkwm.judge.judge import Judge
from zkwm.owner.commit import commit, trigger_set
from zkwm.owner.consent import Consent
from zkwm.owner.disclosure import Disclosure
from zkwm.owner.prove import disclosure, prove
from zkwm.owner.vault import Vault
from zkwm_protocols.commitment import Commitment, LabelMode
from zkwm_protocols.errors import Malformed, TrustMaterialMissing, UsageError, ZkwmError
from zkwm_protocols.keys import ECDSA_P256

pytestmark = pytest.mark.usefixtures("quick_labels")


def test_given_images_are_committed_with_derived_labels(vault: Vault) -> None:
    images = random_images(100)
    made = commit(vault, images, class_count=10, owner_model=bytes(range(32)))
    made.verify()
    header = made.header
    assert (header.leaf_count, header.block_size, header.class_count) == (100, 50, 10)
    assert header.shape == SHAPE
    assert header.label_mode == LabelMode.DERIVED
    assert header.owner_model == bytes(range(32))
    assert header.owner_keys == (vault.state.signing_key.public,)
    own = vault.state.commitments[made.digest]
    assert own.family == "given"
    assert own.images == images.tobytes()
    assert own.commitment_file == made.to_bytes()


def test_the_secrets_are_on_disk_when_commit_returns(vault: Vault, commitment: Commitment) -> None:
    reopened = Vault.open(vault.path, PASSPHRASE)
    assert np.array_equal(trigger_set(reopened, commitment).images, random_images(200))


def test_generated_images_are_new_every_time(vault: Vault) -> None:
    options: dict[str, Any] = {
        "class_count": 10, "generate_count": 20, "block_size": 10, "family": "blocks",
        "shape": (1, 16, 16),
    }  # fmt: skip
    first, second = commit(vault, **options), commit(vault, **options)
    assert first.digest != second.digest
    own = vault.state.commitments[first.digest]
    assert own.family == "blocks"
    assert len(own.images) == 20 * 256
    assert own.images != vault.state.commitments[second.digest].images


def test_the_default_family_is_secret(vault: Vault) -> None:
    made = commit(vault, class_count=10, generate_count=4, block_size=2)
    assert vault.state.commitments[made.digest].family == "secret"
    assert made.header.shape == (1, 28, 28)


def test_mixtures_are_made_of_the_owners_data(vault: Vault) -> None:
    made = commit(
        vault,
        class_count=10,
        generate_count=4,
        block_size=2,
        family="mixture",
        shape=(1, 16, 16),
        data=random_images(20, shape=(1, 16, 16)),
    )
    assert made.header.shape == (1, 16, 16)


def test_declared_labels_are_kept_and_hidden(vault: Vault) -> None:
    labels = np.arange(50, dtype=np.int64) % 10
    made = commit(vault, random_images(50), class_count=10, declared_labels=labels)
    assert made.header.label_mode == LabelMode.DECLARED
    assert np.array_equal(trigger_set(vault, made).labels, labels)
    with pytest.raises(Malformed):
        made.labels()


def test_a_vault_of_p256_commits_and_answers(tmp_path: Path) -> None:
    vault = Vault.create(tmp_path / "p256.vault", PASSPHRASE, cost=CHEAP, algorithm=ECDSA_P256)
    commit(vault, random_images(50), class_count=10).verify()


def test_the_trigger_set_has_the_labels_that_everybody_derives(
    vault: Vault, commitment: Commitment
) -> None:
    triggers = trigger_set(vault, commitment)
    assert np.array_equal(triggers.labels, commitment.labels())
    assert (triggers.family, triggers.block_size, triggers.class_count) == ("given", 50, 10)


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": random_images(51)},
        {"images": random_images(10)},
        {"images": random_images(50).astype(np.float32)},
        {"images": random_images(50)[:, 0]},
        {"images": np.repeat(random_images(1), 50, axis=0)},
        {"images": np.zeros((50, *SHAPE), np.uint8)},
        {"images": random_images(0)},
        {"block_size": 0},
        {"block_size": -50},
        {"block_size": 20_000},
        {"class_count": 1},
        {"class_count": 65_536},
        {"images": None, "family": "unknown"},
        {"images": None, "generate_count": 51, "shape": (1, 28, 28)},
        {"images": None, "generate_count": 0},
        {"images": None, "declared_labels": np.zeros(200, np.int64)},
        {"declared_labels": np.zeros(49, np.int64)},
        {"declared_labels": np.full(50, 10)},
        {"declared_labels": np.full(50, -1)},
        {"declared_labels": np.zeros(50)},
        {"declared_labels": np.zeros((50, 1), np.int64)},
        {"declared_labels": [0] * 50},
        {"owner_model": b"short"},
    ],
    ids=str,
)
def test_what_cannot_be_committed_is_refused_and_leaves_no_trace(
    vault: Vault, wrong: dict[str, Any]
) -> None:
    options: dict[str, Any] = {"images": random_images(50), "class_count": 10, **wrong}
    with pytest.raises(ZkwmError):
        commit(vault, **options)
    assert vault.state.commitments == {}
    assert Vault.open(vault.path, PASSPHRASE).state.commitments == {}


def test_the_number_of_images_that_fits_is_named(vault: Vault) -> None:
    with pytest.raises(UsageError) as caught:
        commit(vault, random_images(120), class_count=10)
    assert "100 or 150 images" in caught.value.hint


def test_disclosure_shows_what_answering_would_release(
    vault: Vault, commitment: Commitment, judge: Judge
) -> None:
    challenge = asking(judge, commitment, purpose="a dispute")
    shown = disclosure(vault, commitment, challenge)
    assert shown == Disclosure(
        suspect=challenge.suspect,
        purpose="a dispute",
        issued=challenge.issued,
        judge_fingerprint=judge.public.fingerprint(),
        judge_known=False,
        repeated=False,
        declared_labels=False,
        block_count=4,
        blocks_to_open=(0,),
        blocks_spent=(),
        released=(),
        disputes_after=3,
    )
    assert vault.state.ledger == []


def test_after_an_answer_disclosure_shows_it(
    vault: Vault, commitment: Commitment, judge: Judge
) -> None:
    challenge = asking(judge, commitment)
    prove(vault, commitment, challenge, judge_fingerprint=judge.public.fingerprint())
    again = disclosure(vault, commitment, challenge)
    assert again.repeated
    assert again.judge_known
    assert again.blocks_to_open == again.blocks_spent == (0,)
    later = disclosure(vault, commitment, asking(judge, commitment))
    assert not later.repeated
    assert later.blocks_to_open == (1,)
    assert [entry.blocks for entry in later.released] == [(0,)]


def test_several_blocks_are_opened_at_once(
    vault: Vault, commitment: Commitment, judge: Judge
) -> None:
    challenge = judge.challenge(commitment, TableSuspect(), reveal=150, excluded_blocks=(1,))
    proof = prove(vault, commitment, challenge, judge_fingerprint=judge.public.fingerprint())
    assert proof.blocks == (0, 2, 3)
    proof.verify_signatures(commitment.header)
    proof.verify_against(commitment, challenge)


def test_a_fingerprint_may_be_typed_with_capitals_and_blanks(
    vault: Vault, commitment: Commitment, judge: Judge
) -> None:
    typed = f"  {judge.public.fingerprint().upper()}\n"
    prove(vault, commitment, asking(judge, commitment), judge_fingerprint=typed)
    assert vault.state.trusted_judges == [judge.public.fingerprint()]


def test_labels_of_a_commitment_that_needs_a_beacon_are_not_given(
    vault: Vault, commitment: Commitment
) -> None:
    header = replace(commitment.header, timestamp_authority=bytes(32))
    named = replace(commitment, header=header)
    with vault.transaction() as state:
        state.commitments[named.digest] = state.commitments[commitment.digest]
    with pytest.raises(TrustMaterialMissing):
        trigger_set(vault, named)


def test_images_opened_from_one_commitment_are_spent_in_another(vault: Vault, judge: Judge) -> None:
    """An owner who commits to the same images again does not show them twice as unopened."""
    images = random_images(200)
    first, second = commit(vault, images, class_count=10), commit(vault, images, class_count=10)
    suspect = TableSuspect(rule=lambda image: 0)
    known = judge.public.fingerprint()
    prove(vault, first, judge.challenge(first, suspect, reveal=50), judge_fingerprint=known)
    challenge = judge.challenge(second, suspect, reveal=50)
    shown = disclosure(vault, second, challenge)
    assert (shown.blocks_spent, shown.blocks_to_open) == ((0,), (1,))
    assert prove(vault, second, challenge).blocks == (1,)


def test_the_last_block_takes_a_word_of_its_own(vault: Vault, judge: Judge) -> None:
    made = commit(vault, random_images(100), class_count=10)
    fingerprint = judge.public.fingerprint()
    prove(vault, made, asking(judge, made), judge_fingerprint=fingerprint)
    other = new_judge()
    last = other.challenge(made, TableSuspect(name="another"), reveal=50)
    shown = disclosure(vault, made, last)
    assert "the last opening" in shown.last
    assert (shown.again, shown.disputes_after) == ("", 0)
    options: dict[str, Any] = {"judge_fingerprint": other.public.fingerprint()}
    for consent in (Consent(), Consent(again=True)):  # one consent is not the other
        with pytest.raises(UsageError, match="the last opening"):
            prove(vault, made, last, **options, consent=consent)
    assert len(vault.state.ledger) == 1
    assert prove(vault, made, last, **options, consent=Consent(last=True)).blocks == (1,)
    assert not disclosure(vault, made, last).last  # the same bytes once more are nothing new


def test_opened_images_are_not_committed_again(
    vault: Vault, commitment: Commitment, judge: Judge
) -> None:
    fingerprint = judge.public.fingerprint()
    prove(vault, commitment, asking(judge, commitment), judge_fingerprint=fingerprint)
    images = random_images(200)
    with pytest.raises(UsageError, match="50 of these images were opened before"):
        commit(vault, images, class_count=10)
    assert len(vault.state.commitments) == 1
    commit(vault, images[50:], class_count=10)
