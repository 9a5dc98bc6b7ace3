"""``verify_many``: claims settled by other processes; crashes, hangs, cancelling, secrets."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.case_files import save_lookup
from tests.support.dispute import Claimant, TestJudge, random_images
from tests.support.logged_commitment import log_proof
from tests.support.postgres import PASSWORD
from zkwm.hardware_keys import HardwareKey, TokenAddress
from zkwm.judge.judge import Judge
from zkwm.judge.key_file import JudgeKey
from zkwm.marketplace import Claim, Marketplace, Settled, Settling
from zkwm.marketplace.claims import pack_desk, pack_settled, unpack_desk, unpack_settled
from zkwm.marketplace.label_seeds import known_seed
from zkwm.registry_database.location import find_location
from zkwm.suspects import open_suspect
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.cose.key_contents import KeyRevocation, RevocationReason
from zkwm_protocols.cose.statement import sign_statement
from zkwm_protocols.errors import CouldNotCheck, NotProven, Unsupported, UsageError
from zkwm_protocols.keys import ED25519, SigningKey
from zkwm_protocols.trust import Trust

SHAPE = (1, 8, 8)


@dataclass
class Desk:
    """A marketplace, and one case for each of three files: marked, unmarked, marked."""

    market: Marketplace
    owner: Claimant
    files: list[Path]
    challenges: list[Challenge]

    def claims(self) -> list[Claim]:
        return [Claim(one, file) for one, file in zip(self.challenges, self.files, strict=True)]

    def settle_all(self, **options: object) -> dict[str, Settled]:
        with self.market.verify_many(self.claims(), **options) as run:
            return {settled.case: settled for settled in run}


@pytest.fixture(scope="module")
def real_owner() -> Claimant:
    """Labels of Argon2id: other processes know no others."""
    return Claimant(random_images(200))


@pytest.fixture
def desk(market: Marketplace, judge: TestJudge, real_owner: Claimant, tmp_path: Path) -> Desk:
    name, files, challenges = market.register(real_owner.commitment), [], []
    with known_seed(market._database, judge.key, real_owner.commitment):
        pass  # it is kept: the other processes need not derive it
    for number, shift in enumerate((0, 1, 0)):
        file = tmp_path / f"model {number}.onnx"
        outputs = (real_owner.labels + shift) % 10
        save_lookup(file, real_owner.images, outputs, factor=1.0 + number, shape=SHAPE)
        suspect = open_suspect(file, shape=SHAPE)
        challenge = market.challenge(name, suspect)
        suspect.close()
        market.answer(challenge, real_owner.answer(challenge, [number]))
        files.append(file)
        challenges.append(challenge)
    return Desk(market, real_owner, files, challenges)


def first_process(run: Settling, then: signal.Signals) -> threading.Thread:
    """Send a signal to the first process as soon as there is one."""

    def watch() -> None:
        while not run._running:
            time.sleep(0.001)
        os.kill(next(iter(run._running.values())).pid, then)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def proc(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


def test_results_come_and_secrets_stay_in_pipes(desk: Desk, judge: TestJudge) -> None:
    told: list[tuple[int, int]] = []
    keys = [key.to_bytes().hex().encode() for key in (judge.key.signing, judge.key.box)]
    found: dict[str, Settled] = {}
    run = desk.market.verify_many(
        desk.claims(), processes=1, progress=lambda done, total: told.append((done, total))
    )
    with run:
        for settled in run:
            found[settled.case] = settled
            for process in list(run._running.values()):
                seen = proc(process.pid, "cmdline") + proc(process.pid, "environ")
                for secret in (*keys, PASSWORD.encode()):
                    assert secret not in seen
                    assert secret.upper() not in seen
    one, two, three = (found[challenge.digest.hex()] for challenge in desk.challenges)
    assert (one.outcome, one.error) == (three.outcome, three.error) == ("proven", None)
    assert two.outcome == "not proven"
    assert isinstance(two.error, NotProven)
    assert two.error.check == "evidence.threshold"
    assert told == [(1, 3), (2, 3), (3, 3)]
    outcomes = [verdict["outcome"] for verdict in desk.market.verdicts().values()]
    assert sorted(outcomes) == ["not proven", "proven", "proven"]
    assert {case.state for case in desk.market.cases()} == {"decided"}


@pytest.mark.parametrize("location", ["sqlite"], indirect=True)
def test_a_crash_does_not_lose_the_others(desk: Desk) -> None:
    run = desk.market.verify_many(desk.claims(), processes=1)
    watcher = first_process(run, signal.SIGKILL)
    with run:
        found = list(run)
    watcher.join(60)
    assert [settled.case for settled in found] == [one.digest.hex() for one in desk.challenges]
    assert isinstance(found[0].error, CouldNotCheck)
    assert "settle it again" in found[0].error.hint
    assert [settled.outcome for settled in found] == ["", "not proven", "proven"]


@pytest.mark.parametrize("location", ["sqlite"], indirect=True)
def test_a_hang_ends_with_its_time(desk: Desk) -> None:
    desk.challenges, desk.files = desk.challenges[:1], desk.files[:1]
    run = desk.market.verify_many(desk.claims(), processes=1, seconds=1)
    watcher = first_process(run, signal.SIGSTOP)
    with run:
        (settled,) = run
    watcher.join(60)
    assert settled.error is not None
    assert settled.error.message == "this case was not settled within 1 seconds"
    assert desk.market.settle(desk.files[0], desk.challenges[0]).proven


@pytest.mark.parametrize("location", ["sqlite"], indirect=True)
def test_cancelling_ends_all_processes(desk: Desk) -> None:
    run = desk.market.verify_many(desk.claims(), processes=1)
    results: Iterator[Settled] = iter(run)
    next(results)
    processes = list(run._running.values())
    run.cancel()
    assert all(process.poll() is not None for process in processes)
    assert run._running == {}
    assert len(list(results)) < 2
    run.cancel()
    assert len(desk.market.verdicts()) >= 1


@pytest.mark.parametrize("location", ["sqlite"], indirect=True)
def test_what_fails_is_told_case_by_case(desk: Desk, tmp_path: Path) -> None:
    """A file that is not there, another one, an unknown case, an answer that is none."""
    first, second = desk.challenges[:2]
    claims = [
        Claim(first, tmp_path / "none.onnx"),
        Claim(second, desk.files[0]),
        Claim("0" * 64, desk.files[0]),
        Claim(first, desk.files[0], proof=b"zkwm-proof/1\n"),
    ]
    with desk.market.verify_many(claims, processes=1) as run:
        errors = [settled.error for settled in run]
    assert [error.check for error in errors if error] == [
        "challenge.suspect", "challenge.suspect", "", "response.format",
    ]  # fmt: skip
    assert isinstance(errors[2], UsageError)


def test_what_cannot_be_sent_is_refused_before_anything_starts(
    market: Marketplace, tmp_path: Path
) -> None:
    for options in ({"shape": SHAPE}, {"extraction": object()}, {"http": 5}):
        with pytest.raises(UsageError, match="has no option"):
            market.verify_many([Claim("0" * 64, tmp_path, options=options)])
    with pytest.raises(UsageError, match="processes"):
        market.verify_many([], processes=0)
    with pytest.raises(UsageError, match="seconds"):
        market.verify_many([], seconds=0)
    assert list(market.verify_many([])) == []


@pytest.mark.parametrize(
    "reply", [b"", b"[]", b"{}", b'{"outcome": 1, "error": 5}', b"\xff", b"[" * 50_000]
)
def test_a_reply_of_another_form_is_refused(reply: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        unpack_settled("0" * 64, reply)


def test_errors_come_back_as_they_were() -> None:
    error = Unsupported("no such thing", hint="do another", check="challenge.network")
    back = unpack_settled("00", pack_settled(Settled("00", "proven", error))).error
    assert type(back) is Unsupported
    assert (back.message, back.hint, back.check) == (error.message, error.hint, error.check)
    strange = json.dumps({"outcome": "x", "error": {"class": "SystemExit", "message": "a\nb"}})
    assert type(unpack_settled("00", strange.encode()).error) is CouldNotCheck


def test_a_key_in_a_token_is_sent_to_no_other_process(location: str) -> None:
    """Before a process is started: the token gives its secret to nobody."""
    address = "pkcs11:token=court;object=judge?module-path=/usr/lib/no-such-token.so"
    signing = HardwareKey(TokenAddress.from_text(address), SigningKey.generate(ED25519).public)
    with (
        Marketplace(location, Judge.from_key(JudgeKey.in_token(signing))) as market,
        pytest.raises(UsageError, match="is in the token 'court', and does not leave it"),
    ):
        market.verify_many([])


def test_the_processes_have_the_judges_statements_about_keys(tmp_path: Path) -> None:
    key = JudgeKey.generate()
    content = KeyRevocation(key.signing.public.fingerprint(), 9, RevocationReason.LOST)
    trust = Trust((), statements=(log_proof(sign_statement(content, key.signing)),))
    sent = unpack_desk(pack_desk(find_location(tmp_path / "m.sqlite"), key, {}, trust))[3]
    assert sent is not None
    assert (sent, sent.statements) == (trust, trust.statements)
