"""``zkwm.owner.check``: what a suspect would answer, told to the owner alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.argued import SHAPE as LINEAR_SHAPE
from tests.support.argued import save_linear
from tests.support.dispute import (
    CHEAP,
    PASSPHRASE,
    TableSuspect,
    marked,
    new_judge,
    random_images,
)
from zkwm.owner.check import check
from zkwm.owner.commit import commit, trigger_set
from zkwm.owner.consent import Consent
from zkwm.owner.prove import disclosure, prove
from zkwm.owner.suspect_check import SuspectCheck
from zkwm.owner.vault import Vault
from zkwm.quantizer.network_agreement import Agreement
from zkwm.suspects import Answer
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import Statistic

pytestmark = pytest.mark.usefixtures("quick_labels")


@pytest.fixture
def suspect(vault: Vault, commitment: Commitment) -> TableSuspect:
    triggers = trigger_set(vault, commitment)
    return marked(triggers.images, triggers.labels)


def look(vault: Vault, commitment: Commitment, suspect: TableSuspect) -> SuspectCheck:
    return check(vault, commitment, suspect, argument=False)


def opened(vault: Vault, commitment: Commitment, suspect: TableSuspect) -> None:
    judge = new_judge()
    challenge = judge.challenge(commitment, suspect, reveal=50)
    prove(
        vault,
        commitment,
        challenge,
        judge_fingerprint=judge.public.fingerprint(),
        consent=Consent(again=True, last=True),
    )


def test_a_marked_model_would_be_proven_by_one_block(
    vault: Vault, commitment: Commitment, suspect: TableSuspect
) -> None:
    found = look(vault, commitment, suspect)
    assert (found.matches, found.triggers) == (200, 200)
    (opening,) = found.openings
    assert opening.statistic == Statistic.MATCHES
    assert (opening.blocks, opening.unspent_after) == ((0,), 3)
    assert opening.evidence.reached
    assert (opening.evidence.matches, opening.evidence.trials) == (50, 50)


def test_the_bits_are_those_of_the_judge(
    vault: Vault, commitment: Commitment, suspect: TableSuspect
) -> None:
    (opening,) = look(vault, commitment, suspect).openings
    judge = new_judge()
    challenge = judge.challenge(commitment, suspect, reveal=50)
    proof = prove(vault, commitment, challenge, judge_fingerprint=judge.public.fingerprint())
    verdict = judge.verify(commitment, suspect, challenge, proof)
    assert verdict.evidence == opening.evidence
    assert verdict.blocks == opening.blocks


def test_an_innocent_model_is_weighed_on_all_blocks(vault: Vault, commitment: Commitment) -> None:
    found = look(vault, commitment, TableSuspect())
    assert found.matches < 60
    (opening,) = found.openings
    assert opening.blocks == (0, 1, 2, 3)
    assert not opening.evidence.reached


def test_a_weak_mark_needs_more_blocks(vault: Vault, commitment: Commitment) -> None:
    triggers = trigger_set(vault, commitment)
    labels = triggers.labels.copy()
    for block in range(4):
        labels[50 * block : 50 * block + 15] += 1  # 35 of 50 match, and 43 are needed
    found = look(vault, commitment, marked(triggers.images, labels % 10))
    assert [block.matches for block in found.blocks] == [35, 35, 35, 35]
    (opening,) = found.openings
    assert opening.blocks == (0, 1)
    assert opening.evidence.reached


def block(*numbers: int) -> Consent:
    return Consent(blocks=numbers)


def test_the_best_blocks_where_fewer_suffice(vault: Vault, commitment: Commitment) -> None:
    triggers = trigger_set(vault, commitment)
    labels = triggers.labels.copy()
    for number, wrong in enumerate((15, 15, 2, 0)):  # block 2 is enough, and so is block 3
        labels[50 * number : 50 * number + wrong] += 1
    suspect = marked(triggers.images, labels % 10)
    (opening,) = look(vault, commitment, suspect).openings
    assert (opening.blocks, opening.chosen) == ((3,), True)
    judge = new_judge()
    challenge = judge.challenge(commitment, suspect, reveal=50)
    fingerprint = judge.public.fingerprint()
    with pytest.raises(UsageError):
        prove(vault, commitment, challenge, judge_fingerprint=fingerprint, consent=block(2, 3))
    with pytest.raises(UsageError):
        prove(vault, commitment, challenge, judge_fingerprint=fingerprint, consent=block(4))
    assert disclosure(vault, commitment, challenge, blocks=(3,)).blocks_to_open == (3,)
    proof = prove(vault, commitment, challenge, judge_fingerprint=fingerprint, consent=block(3))
    verdict = judge.verify(commitment, suspect, challenge, proof)
    assert (verdict.outcome, verdict.blocks) == ("proven", (3,))
    assert verdict.evidence == opening.evidence
    other = judge.challenge(commitment, TableSuspect(), reveal=50)
    with pytest.raises(UsageError):  # spent
        prove(vault, commitment, other, consent=block(3))


def test_answers_in_the_vault_count_as_tried(
    vault: Vault, commitment: Commitment, suspect: TableSuspect
) -> None:
    assert look(vault, commitment, suspect).functions_tried == 1
    opened(vault, commitment, suspect)
    found = look(vault, commitment, suspect)
    assert (found.functions_tried, found.answers_given) == (2, 1)


def test_more_functions_tried_leave_fewer_bits(
    vault: Vault, commitment: Commitment, suspect: TableSuspect
) -> None:
    first = look(vault, commitment, suspect)
    later = check(vault, commitment, suspect, policy=Policy(functions_tried=1000), argument=False)
    assert later.functions_tried == 1000
    bits = [one.openings[0].evidence.total_bits for one in (first, later)]
    assert bits[1] < bits[0] - 18


def test_spent_blocks_are_asked_and_count_for_nothing(
    vault: Vault, commitment: Commitment, suspect: TableSuspect
) -> None:
    opened(vault, commitment, suspect)
    found = look(vault, commitment, suspect)
    assert [block.spent for block in found.blocks] == [True, False, False, False]
    assert found.blocks[0].matches == 50
    (opening,) = found.openings
    assert (opening.blocks, opening.unspent_after) == ((1,), 2)


def test_a_stale_vault_object_looks_at_the_newest_file(
    vault: Vault, commitment: Commitment, suspect: TableSuspect
) -> None:
    other = Vault.open(vault.path, PASSPHRASE)
    opened(vault, commitment, suspect)
    assert look(other, commitment, suspect).openings[0].blocks == (1,)


def test_an_older_copy_is_told_and_not_refused(
    vault: Vault, commitment: Commitment, suspect: TableSuspect
) -> None:
    old = vault.path.read_bytes()
    opened(vault, commitment, suspect)
    vault.path.write_bytes(old)
    older = Vault.open(vault.path, PASSPHRASE)
    found = look(older, commitment, suspect)
    assert found.openings[0].blocks == (0,)
    assert "older copy" in older.notice


def test_nothing_is_written(vault: Vault, commitment: Commitment, suspect: TableSuspect) -> None:
    folder = vault.path.parent
    for file in folder.iterdir():
        if file != vault.path:
            file.unlink()
    before = vault.path.read_bytes()
    look(vault, commitment, suspect)
    assert list(folder.iterdir()) == [vault.path]  # no lock either
    assert vault.path.read_bytes() == before
    assert not vault.state.ledger


def test_an_endpoint_is_refused_before_it_is_asked(vault: Vault, commitment: Commitment) -> None:
    remote = TableSuspect(kind="http", remote=True)
    with pytest.raises(UsageError, match="endpoint"):
        look(vault, commitment, remote)
    assert remote.asked == []


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/", "HTTPS://example.org/x", "ftp://x/y"])
def test_a_url_is_refused_before_it_is_opened(
    vault: Vault, commitment: Commitment, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object, **__: object) -> None:
        raise AssertionError("something was opened")

    monkeypatch.setattr("zkwm.owner.check.open_suspect", connect)
    with pytest.raises(UsageError, match="endpoint"):
        check(vault, commitment, location)


def test_no_block_left(vault: Vault) -> None:
    made = commit(vault, random_images(50), class_count=10)
    triggers = trigger_set(vault, made)
    suspect = marked(triggers.images, triggers.labels)
    opened(vault, made, suspect)
    found = check(vault, made, suspect)
    assert found.openings == ()
    assert found.argument is not None
    assert found.argument.refusal == "no block is unspent"


def test_triggers_without_an_answer(vault: Vault, commitment: Commitment) -> None:
    triggers = trigger_set(vault, commitment)
    table = dict(zip((i.tobytes() for i in triggers.images), triggers.labels.tolist(), strict=True))
    table[triggers.images[0].tobytes()] = "crashed"
    found = look(vault, commitment, TableSuspect(table))
    assert (found.blocks[0].matches, found.blocks[0].answered) == (49, 49)


def test_ranks_where_there_are_scores(vault: Vault, commitment: Commitment) -> None:
    triggers = trigger_set(vault, commitment)
    rows = {
        image.tobytes(): np.eye(10)[label]
        for image, label in zip(triggers.images, triggers.labels, strict=True)
    }

    class Scored(TableSuspect):
        def answer(self, images, preprocessing, *, progress=None):
            scores = [rows[image.tobytes()] for image in images]
            return tuple(Answer(int(row.argmax()), scores=row) for row in scores)

    found = look(vault, commitment, Scored())
    counted = [Statistic.MATCHES, Statistic.RANKS, Statistic.SCORES]  # no weights to train
    assert [one.statistic for one in found.openings] == counted
    ranked = found.openings[1].evidence
    assert ranked.rank_sum is not None
    assert ranked.rank_sum.value == ranked.rank_sum.largest
    scored = found.openings[2].evidence.score_sum
    assert scored is not None
    assert scored.value == scored.largest


def test_declared_labels_are_said_and_have_no_ranks(vault: Vault) -> None:
    labels = np.arange(50) % 10
    made = commit(vault, random_images(50), class_count=10, declared_labels=labels)
    found = look(vault, made, marked(random_images(50), labels))
    assert found.declared_labels
    assert found.matches == 50
    assert [one.statistic for one in found.openings] == [Statistic.MATCHES]


def test_a_class_map_that_is_none(vault: Vault, commitment: Commitment) -> None:
    with pytest.raises(InvalidOpening) as error:
        check(vault, commitment, TableSuspect(), class_map=(0,) * 10, argument=False)
    assert error.value.check == "challenge.class_map"


def test_another_vault_holds_no_triggers(
    tmp_path: Path, commitment: Commitment, suspect: TableSuspect
) -> None:
    other = Vault.create(tmp_path / "other.vault", PASSPHRASE, cost=CHEAP)
    with pytest.raises(UsageError, match="does not hold"):
        check(other, commitment, suspect)


@pytest.fixture
def linear(vault: Vault, tmp_path: Path) -> tuple[Commitment, Path]:
    """A commitment and a model that can be proven about."""
    made = commit(vault, random_images(100, shape=LINEAR_SHAPE), class_count=10, block_size=25)
    triggers = trigger_set(vault, made)
    save_linear(tmp_path / "model.onnx", triggers.images, triggers.labels)
    return made, tmp_path / "model.onnx"


def test_an_argument_that_would_be_proven(vault: Vault, linear: tuple[Commitment, Path]) -> None:
    found = check(vault, *linear).argument
    assert found is not None
    assert found.refusal == ""
    assert found.reached
    assert found.blocks == (0, 1, 2, 3)
    assert found.matches == 100
    assert found.least_matches is not None
    assert found.least_matches < 100
    assert found.evidence is not None
    assert found.evidence.reached
    assert found.cost is not None
    assert (found.bits_released, found.bit_limit) == (0, 16)


def test_an_argument_that_would_show_nothing(
    vault: Vault,
    linear: tuple[Commitment, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zkwm.owner.check_argument.measure_agreement", lambda *_, **__: ())
    made, _ = linear
    triggers = trigger_set(vault, made)
    save_linear(tmp_path / "other.onnx", triggers.images, (triggers.labels + 1) % 10)
    found = check(vault, made, tmp_path / "other.onnx").argument
    assert found is not None
    assert (found.refusal, found.reached, found.matches) == ("", False, 0)


def test_a_suspect_that_no_argument_can_be_about(
    vault: Vault, commitment: Commitment, suspect: TableSuspect
) -> None:
    found = check(vault, commitment, suspect)
    assert found.argument is not None
    assert found.argument.check == "challenge.network"
    assert not found.argument.reached
    assert found.openings[0].evidence.reached  # the other way is still told


def test_the_suspect_of_an_argument_is_compared_with_its_network(
    vault: Vault, linear: tuple[Commitment, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Agreement("public images", 200, 0, 200, 0, 20, 0, None, 0.9, 0.9, 0.0)
    monkeypatch.setattr("zkwm.owner.check_argument.measure_agreement", lambda *_, **__: (far,))
    found = check(vault, *linear).argument
    assert found is not None
    assert found.check == "argument.agreement"
    assert not found.reached
