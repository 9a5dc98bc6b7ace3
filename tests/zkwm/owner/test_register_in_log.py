"""Registering in a log: with witnesses, interrupted, by a wrong log or a wrong policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.dispute import CHEAP, PASSPHRASE, random_images
from tests.support.logged_commitment import log_proof, stated
from tests.support.logs import memory_folder
from tests.support.public_log import KEY, ORIGIN, PublicLog, policy_text, public_log
from tests.support.witnessed_log import POLICY_TEXT
from zkwm.judge.dating import read_dates
from zkwm.owner import register_in_log as registering
from zkwm.owner.commit import commit
from zkwm.owner.register import register
from zkwm.owner.vault import Vault
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import CouldNotCheck, InvalidLogProof, UsageError, VaultUnusable
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.trust import Trust

pytestmark = pytest.mark.usefixtures("quick_labels")


@pytest.fixture(scope="module")
def log() -> Iterator[PublicLog]:
    with memory_folder() as folder, public_log(folder) as running:
        yield running


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    monkeypatch.setenv("ZKWM_STATE", str(tmp_path / "state"))
    return Vault.create(tmp_path / "vault", PASSPHRASE, cost=CHEAP)


@pytest.fixture
def commitment(vault: Vault) -> Commitment:
    return commit(vault, random_images(100), class_count=10)


def keep(vault: Vault, file: Commitment) -> None:
    """The vault keeps this file."""
    with vault.transaction() as state:
        own = state.commitments[file.digest]
        state.commitments[file.digest] = replace(own, commitment_file=file.to_bytes())


def kept(vault: Vault, commitment: Commitment) -> Commitment:
    """The commitment's file in the vault."""
    state = Vault.open(vault.path, PASSPHRASE).state
    return Commitment.from_bytes(state.commitments[commitment.digest].commitment_file)


def test_an_entry_is_verified_kept_and_found_again(
    log: PublicLog, vault: Vault, commitment: Commitment, tmp_path: Path
) -> None:
    trust = Trust((), log_policy=log.policy, log_dates=True)
    made = register(vault, commitment, [], logs=[log.url], trust=trust)
    (entry,) = made.entries
    assert (entry.kept, entry.witnesses) == (False, ("one.example", "two.example"))
    assert kept(vault, commitment) == made.commitment
    dating, refused = read_dates(made.commitment, trust)
    assert (dating.existed, refused) == (entry.interval, ())
    assert dating.logged[0].key == vault.state.signing_key.public.fingerprint()
    assert list((tmp_path / "state/checkpoints").glob("*.checkpoint"))
    size = log.log.row.size
    again = register(vault, made.commitment, [], logs=[log.url], trust=trust)
    assert again.entries[0].kept
    # who lost file and vault's copy states the same bytes, and the log finds its entry
    found = registering.register_in_log(
        commitment, (), vault.state.signing_key, log.url, trust, seconds=30
    )
    assert not found.kept
    assert found.proof.proof.index == entry.proof.proof.index
    assert log.log.row.size == size


def test_an_interrupted_command_finds_its_entry(
    log: PublicLog, vault: Vault, commitment: Commitment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log took the statement, and the machine went down before anything was kept."""
    trust = Trust((), log_policy=log.policy)

    def down(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(registering, "_verify_receipt", down)
    with pytest.raises(KeyboardInterrupt):
        register(vault, commitment, [], logs=[log.url], trust=trust)
    monkeypatch.undo()
    assert kept(vault, commitment).log_proofs == ()
    size = log.log.row.size
    made = register(vault, commitment, [], logs=[log.url], trust=trust)
    assert made.entries[0].proof.proof.index == size - 1
    assert log.log.row.size == size


def test_a_vault_never_loses_an_entry(log: PublicLog, vault: Vault, commitment: Commitment) -> None:
    trust = Trust((), log_policy=log.policy)
    register(vault, commitment, [], logs=[log.url], trust=trust)
    made = register(vault, commitment, [], logs=[log.url], trust=trust)  # without it in the file
    assert len(made.commitment.log_proofs) == 1
    with pytest.raises(VaultUnusable, match="altered"):
        keep(vault, commitment)


def test_proofs_that_strangers_add_to_a_file_are_left_out(
    log: PublicLog, vault: Vault, commitment: Commitment
) -> None:
    """Also proofs of a false log with the owner's statement: none takes the place of a true one."""
    mine = stated(commitment.digest, vault.state.signing_key)
    junk = [
        *(log_proof(stated(commitment.digest, SigningKey.generate())) for _ in range(8)),
        log_proof(mine),
        *(log_proof(stated(bytes([n]) * 32, vault.state.signing_key)) for n in range(7)),
    ]
    slipped = replace(commitment, log_proofs=tuple(junk))
    trust = Trust((), log_policy=log.policy)
    made = register(vault, slipped, [], logs=[log.url], trust=trust)
    origins = [one.proof.checkpoint.checkpoint.origin for one in made.commitment.log_proofs]
    assert origins == [ORIGIN]
    assert kept(vault, commitment).log_proofs == made.commitment.log_proofs


def test_a_quorum_that_does_not_come_keeps_nothing(
    vault: Vault, commitment: Commitment, log: PublicLog
) -> None:
    with memory_folder() as folder, public_log(folder, witnesses=False) as alone:
        trust = Trust((), log_policy=alone.policy)
        with pytest.raises(InvalidLogProof, match="too few witnesses") as caught:
            register(vault, commitment, [], logs=[alone.url], trust=trust, wait=0.2)
        assert "`wait`" in caught.value.hint
        assert kept(vault, commitment).log_proofs == ()
        none = Trust((), log_policy=policy_text(["", ""], quorum="none"))
        made = register(vault, commitment, [], logs=[alone.url], trust=none)
        assert made.entries[0].interval is None
        assert read_dates(made.commitment, none)[0].by_log is None


def test_a_log_is_asked_only_by_a_policy_that_names_it(
    log: PublicLog, vault: Vault, commitment: Commitment
) -> None:
    for trust, words in (
        (None, "no trust folder was given"), (Trust(()), "only where a policy says"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            register(vault, commitment, [], logs=[log.url], trust=trust)
    with pytest.raises(UsageError, match="nobody is asked"):
        register(vault, commitment, [], trust=Trust(()))
    two = log.policy.replace(b"witness w0", POLICY_TEXT.splitlines()[1].encode() + b"\nwitness w0")
    with pytest.raises(UsageError, match="names several logs, and none"):
        register(vault, commitment, [], logs=[log.url], trust=Trust((), log_policy=two))
    first = KEY.verifiers[0].to_text().encode()
    named = two.replace(first, first + b" " + log.url.encode() + b"/")
    made = register(vault, commitment, [], logs=[log.url], trust=Trust((), log_policy=named))
    assert made.entries[0].witnesses == ("one.example", "two.example")


def test_another_log_than_the_policy_names_is_refused(
    log: PublicLog, vault: Vault, commitment: Commitment
) -> None:
    with pytest.raises(InvalidLogProof, match="no log of the policy"):
        register(
            vault, commitment, [], logs=[log.url], trust=Trust((), log_policy=POLICY_TEXT.encode())
        )
    with pytest.raises(CouldNotCheck):
        register(
            vault, commitment, [], logs=["http://127.0.0.1:9"],
            trust=Trust((), log_policy=log.policy),
        )  # fmt: skip
    assert kept(vault, commitment).log_proofs == ()


def test_a_receipt_that_does_not_verify_is_no_registration(
    log: PublicLog, vault: Vault, commitment: Commitment, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zkwm.transparency_log.client import LogClient

    real = LogClient.register

    def forged(client: LogClient, *arguments: object, **options: object) -> object:
        done = real(client, *arguments, **options)
        return replace(done, receipt=done.receipt[:-1] + bytes([done.receipt[-1] ^ 1]))

    monkeypatch.setattr(LogClient, "register", forged)
    with pytest.raises(InvalidLogProof, match="receipt does not verify"):
        register(vault, commitment, [], logs=[log.url], trust=Trust((), log_policy=log.policy))
    assert kept(vault, commitment).log_proofs == ()
