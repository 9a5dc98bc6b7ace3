"""Entries that an owner's vault must never lose: SPEC.md 6.2 rules 3, 4 and 7, section 11.

A crash, a second process or a challenge asked twice must not open one block to two people, nor lose
what was opened.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.dispute import PASSPHRASE, TableSuspect, asking, random_images, spent
from zkwm.judge.judge import Judge
from zkwm.owner.commit import commit
from zkwm.owner.consent import Consent
from zkwm.owner.prove import disclosure, prove
from zkwm.owner.vault import Vault
from zkwm.secret_files import storage
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, Malformed, UsageError, VaultUnusable
from zkwm_protocols.opening import Opening

ANSWER = """
import sys
from pathlib import Path
from zkwm import Challenge, Commitment, Consent, Vault, prove
vault, passphrase, commitment, challenge = sys.argv[1:]
asked = Challenge.from_bytes(Path(challenge).read_bytes())
proof = prove(
    Vault.open(vault, passphrase),
    Commitment.from_bytes(Path(commitment).read_bytes()),
    asked,
    judge_fingerprint=asked.judge.fingerprint(),
    consent=Consent(again=True, last=True),
)
sys.stdout.buffer.write(proof.to_bytes())
"""


def test_the_same_challenge_gets_the_same_bytes_for_ever(
    vault: Vault, commitment: Commitment, judge: Judge, fingerprint: str
) -> None:
    """Or asking again would show other blocks, or another sealing of the same."""
    challenge = asking(judge, commitment)
    first = prove(vault, commitment, challenge, judge_fingerprint=fingerprint).to_bytes()
    assert prove(vault, commitment, challenge).to_bytes() == first
    reopened = Vault.open(vault.path, PASSPHRASE)
    assert prove(reopened, commitment, challenge).to_bytes() == first
    assert disclosure(reopened, commitment, challenge).repeated
    read = Challenge.from_bytes(challenge.to_bytes())
    assert prove(reopened, commitment, read).to_bytes() == first
    assert len(vault.state.ledger) == 1


def test_one_confirmation_does_not_buy_the_whole_mark(
    vault: Vault, commitment: Commitment, judge: Judge, fingerprint: str
) -> None:
    """Challenge by challenge, about one suspect or others, the rest needs the owner's word."""
    prove(vault, commitment, asking(judge, commitment), judge_fingerprint=fingerprint)
    for _ in range(3):
        again = asking(judge, commitment)
        assert "about this suspect" in disclosure(vault, commitment, again).again
        with pytest.raises(UsageError, match="about this suspect"):
            prove(vault, commitment, again, judge_fingerprint=fingerprint)
    others = [
        judge.challenge(commitment, TableSuspect(name=name), reveal=50) for name in ("b", "c", "d")
    ]
    assert prove(vault, commitment, others[0]).blocks == (1,)
    for asked in others[1:]:
        with pytest.raises(UsageError, match="more than half"):
            prove(vault, commitment, asked)
    assert spent(vault, commitment) == {0, 1}
    with pytest.raises(UsageError, match="more than half"):
        prove(vault, commitment, others[1], consent=Consent(last=True))
    assert prove(vault, commitment, others[1], consent=Consent(again=True)).blocks == (2,)


def test_a_later_challenge_never_reopens_a_spent_block(
    vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge
) -> None:
    opened: list[int] = []
    for asker in (judge, other_judge, judge, other_judge):
        shown = disclosure(vault, commitment, asking(asker, commitment)).blocks_to_open
        proof = prove(
            vault,
            commitment,
            asking(asker, commitment),
            judge_fingerprint=asker.public.fingerprint(),
            consent=Consent(again=True, last=True),
        )
        assert proof.blocks == shown
        opened += proof.blocks
    assert sorted(opened) == [0, 1, 2, 3]
    with pytest.raises(InvalidOpening) as caught:
        prove(vault, commitment, asking(judge, commitment))
    assert caught.value.check == "challenge.reachable"
    assert len(vault.state.ledger) == 4


def test_excluding_blocks_does_not_make_an_owner_open_more(
    vault: Vault, commitment: Commitment, judge: Judge, fingerprint: str
) -> None:
    """A judge who excludes all but one block gets that one, or nothing once it is spent."""
    first = asking(judge, commitment, excluded_blocks=(0, 1, 3))
    assert prove(vault, commitment, first, judge_fingerprint=fingerprint).blocks == (2,)
    with pytest.raises(InvalidOpening):
        prove(vault, commitment, asking(judge, commitment, excluded_blocks=(0, 1, 3)))
    assert spent(vault, commitment) == {2}


def test_the_ledger_says_what_was_released_to_whom(
    vault: Vault, commitment: Commitment, judge: Judge, fingerprint: str
) -> None:
    challenge = asking(judge, commitment, purpose="case 12 O 345/25")
    proof = prove(vault, commitment, challenge, judge_fingerprint=fingerprint)
    (entry,) = disclosure(vault, commitment, asking(judge, commitment)).released
    assert entry.blocks == proof.blocks == (0,)
    assert entry.judge_fingerprint == fingerprint
    assert entry.purpose == "case 12 O 345/25"
    assert entry.suspect_digest == TableSuspect(name="the suspect").identity.digest
    assert entry.response == proof.to_bytes()


@pytest.mark.parametrize("when", ["before it is written", "after it is written"])
def test_a_crash_around_the_record_loses_nothing_and_opens_nothing_twice(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    fingerprint: str,
    when: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    challenge = asking(judge, commitment)
    real = storage.write_private

    def crash(path: Path, data: bytes, **options: Any) -> None:
        if when.startswith("after"):
            real(path, data, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(storage, "write_private", crash)
    with pytest.raises(KeyboardInterrupt):
        prove(vault, commitment, challenge, judge_fingerprint=fingerprint)
    monkeypatch.setattr(storage, "write_private", real)
    recovered = Vault.open(vault.path, PASSPHRASE)
    entry = recovered.state.response_to(challenge.digest)
    assert (entry is None) == when.startswith("before")
    proof = prove(recovered, commitment, challenge, judge_fingerprint=fingerprint)
    assert proof.blocks == (0,)
    if entry is not None:
        assert proof.to_bytes() == entry.response
    assert prove(vault, commitment, challenge).to_bytes() == proof.to_bytes()
    assert spent(vault, commitment) == {0}


def test_nothing_leaves_when_the_vault_cannot_be_written(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    fingerprint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(path: Path, data: bytes, **_: Any) -> None:
        raise VaultUnusable("no space left on device")

    monkeypatch.setattr(storage, "write_private", full)
    with pytest.raises(VaultUnusable):
        prove(vault, commitment, asking(judge, commitment), judge_fingerprint=fingerprint)
    assert vault.state.ledger == []


def test_two_processes_never_open_one_block_to_two_judges(
    vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge, tmp_path: Path
) -> None:
    (tmp_path / "commitment").write_bytes(commitment.to_bytes())
    running = []
    for number, asker in enumerate((judge, other_judge, judge)):
        challenge = tmp_path / f"challenge{number}"
        challenge.write_bytes(asking(asker, commitment).to_bytes())
        arguments = [vault.path, PASSPHRASE, tmp_path / "commitment", challenge]
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", ANSWER, *map(str, arguments)],
                env=dict(os.environ),
                stdout=subprocess.PIPE,
            )
        )
    blocks = []
    for process in running:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        blocks += Opening.from_bytes(output).blocks
    assert sorted(blocks) == [0, 1, 2]
    assert spent(vault, commitment) == {0, 1, 2}


def test_a_vault_is_never_written_that_could_not_be_read_again(
    vault: Vault, commitment: Commitment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More items than a value may have are refused before the file is replaced."""
    monkeypatch.setattr("zkwm_protocols.encoding.MAXIMUM_ITEMS", 300)
    declared = np.zeros(400, dtype=np.int64)
    with pytest.raises(Malformed):
        commit(vault, random_images(400, 1), class_count=10, declared_labels=declared)
    reopened = Vault.open(vault.path, PASSPHRASE)
    assert list(reopened.state.commitments) == [commitment.digest]


def test_disclosure_shows_what_another_process_has_released_meanwhile(
    vault: Vault, commitment: Commitment, judge: Judge, fingerprint: str
) -> None:
    """An owner whose vault was open for days still sees everything before answering."""
    elsewhere = Vault.open(vault.path, PASSPHRASE)
    challenge = asking(judge, commitment)
    prove(elsewhere, commitment, challenge, judge_fingerprint=fingerprint)
    assert disclosure(vault, commitment, challenge).repeated
    shown = disclosure(vault, commitment, asking(judge, commitment))
    assert [entry.blocks for entry in shown.released] == [(0,)]
    assert shown.blocks_to_open == (1,)
    assert shown.judge_known


def test_an_opening_too_large_to_be_read_is_not_made_and_spends_nothing(
    vault: Vault, commitment: Commitment, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zkwm_protocols.opening.FILE_LIMIT", 4 * 2**20)
    with pytest.raises(UsageError, match="more than a proof may"):
        prove(
            vault,
            commitment,
            asking(judge, commitment),
            judge_fingerprint=judge.public.fingerprint(),
        )
    assert spent(vault, commitment) == set()
