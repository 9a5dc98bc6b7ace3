"""A witness cosigns what only grew; the log collects, and refuses to go on from an old copy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.faulty_disk import FaultyDisk
from tests.support.logs import describe, entries, memory_folder
from tests.support.running_server import running
from zkwm.transparency_log.cosigning import Cosigner
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.http_server import Message, Receive, Reply, Send, read_body
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.recovery import create_log, open_log
from zkwm.transparency_log.tree_key import KeyKind, TreeKey
from zkwm.transparency_log.witness import Witness
from zkwm.transparency_log.witness_service import witness_application
from zkwm.transparency_log.witness_state import WitnessState
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.transparency.checkpoint import Checkpoint, SignedCheckpoint
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.tiles import TileHashes
from zkwm_protocols.transparency.tree import TreeHead, prove_consistency
from zkwm_protocols.transparency.witness import (
    EMPTY_TREE,
    AddCheckpoint,
    read_answer,
    write_answer,
)

LOG_KEY = TreeKey.generate(KeyKind.LOG, "log.example/1")
SECRETS = (bytes(32), bytes(range(32)))
WITNESS_KEYS = [
    TreeKey(KeyKind.WITNESS, "witness.example/1", SECRETS) if i == 1
    else TreeKey.generate(KeyKind.WITNESS, f"witness.example/{i}")
    for i in range(3)
]  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as made:
        yield made


@contextmanager
def log_in(folder: Path) -> Iterator[Log]:
    """A log with real keys, made where it is missing."""
    folder.mkdir(exist_ok=True)
    database = LogDatabase(folder / "database.sqlite")
    try:
        if not (folder / "public").exists():
            create_log(folder, LOG_KEY, database, FaultyDisk())
        with open_log(folder, LOG_KEY, database, describe, FaultyDisk()) as log:
            yield log
    finally:
        database.close()


def witness_in(folder: Path, number: int = 0) -> Witness:
    """A witness that knows the log."""
    state = WitnessState(folder / f"witness{number}.sqlite")
    return Witness(WITNESS_KEYS[number], {LOG_KEY.origin: LOG_KEY.verifiers}, state)


def asked(log: Log, old: int, checkpoint: bytes | None = None) -> bytes:
    """A request of the log, with an honest proof."""
    signed = SignedCheckpoint.from_bytes(checkpoint or log.row.checkpoint)
    size = signed.checkpoint.head.size
    proof = prove_consistency(old, size, TileHashes(log.row.size, log.files.read)) if old else []
    return AddCheckpoint(old, tuple(proof), signed).to_bytes()


def test_a_tree_that_grew_is_cosigned_by_both_keys(folder: Path) -> None:
    witness = witness_in(folder)
    with log_in(folder / "log") as log:
        for old, new in ((0, 1), (1, 3), (3, 260)):
            log.append(entries(old, new))
            answer = witness.answer(asked(log, old))
            assert answer.status == 200
            checkpoint = SignedCheckpoint.from_bytes(log.row.checkpoint).checkpoint
            keys = WITNESS_KEYS[0].verifiers
            assert len(read_answer(answer.text.encode(), checkpoint, keys)) == 2


def test_what_a_witness_refuses(folder: Path) -> None:
    witness = witness_in(folder)
    with log_in(folder / "log") as log, log_in(folder / "other") as other:
        log.append(entries(0, 3))
        first = log.row.checkpoint
        assert witness.answer(b"old 0\n").status == 400
        assert witness.answer(asked(log, 0)).status == 200
        log.append(entries(3, 5))
        assert witness.answer(asked(log, 0)).text == "3\n"  # it knows more than the log says
        assert witness.answer(asked(log, 0)).status == 409
        other.append(entries(10, 14))
        assert witness.answer(asked(other, 3)).status == 422  # another tree
        stranger = TreeKey.generate(KeyKind.LOG, "log.example/1")
        forged = SignedCheckpoint.from_bytes(stranger.sign(TreeHead(5, log.row.root)))
        assert witness.answer(AddCheckpoint(3, (), forged).to_bytes()).status == 403
        one_key = SignedCheckpoint.from_bytes(log.row.checkpoint)
        one_key = SignedCheckpoint(one_key.checkpoint, one_key.signatures[:1])
        assert witness.answer(AddCheckpoint(3, (), one_key).to_bytes()).status == 403
        unknown = TreeKey.generate(KeyKind.LOG, "log.example/2").sign(TreeHead(5, log.row.root))
        foreign = SignedCheckpoint.from_bytes(unknown)
        assert witness.answer(AddCheckpoint(0, (), foreign).to_bytes()).status == 404
        assert witness.answer(asked(log, 3)).status == 200
        smaller = AddCheckpoint(5, (), SignedCheckpoint.from_bytes(first))
        assert witness.answer(smaller.to_bytes()).status == 400


def test_two_trees_of_one_size_are_refused_and_kept_as_evidence(folder: Path) -> None:
    witness = witness_in(folder)
    with log_in(folder / "log") as log, log_in(folder / "other") as other:
        log.append(entries(0, 3))
        other.append(entries(7, 10))
        assert witness.answer(asked(log, 0)).status == 200
        answer = witness.answer(asked(other, 3))
        assert (answer.status, answer.text) == (409, "3\n")
        state = WitnessState(folder / "witness0.sqlite")
        kept = (LOG_KEY.origin, log.row.checkpoint, other.row.checkpoint)
        assert state.conflicts() == [kept]


def test_one_log_that_shows_many_trees_fills_no_place_of_another_s(folder: Path) -> None:
    state = WitnessState(folder / "many.sqlite")
    for origin in ("log.example/1", "log.example/2"):
        assert state.advance(origin, EMPTY_TREE, TreeHead(1, bytes(32)), b"first")
    for number in range(120):
        state.keep_conflict("log.example/1", b"%d" % number)
    state.keep_conflict("log.example/2", b"second")
    kept = state.conflicts()
    assert [one for one in kept if one[0] == "log.example/2"] == [
        ("log.example/2", b"first", b"second")
    ]
    assert len(kept) == 101


def test_what_was_cosigned_is_remembered_after_a_new_start(folder: Path) -> None:
    with log_in(folder / "log") as log:
        log.append(entries(0, 3))
        assert witness_in(folder).answer(asked(log, 0)).status == 200
        assert witness_in(folder).answer(asked(log, 0)).text == "3\n"


def test_of_two_requests_at_once_one_goes_on_from_a_tree(folder: Path) -> None:
    """Two logs' copies that went two ways ask at the same time: one tree gets cosignatures."""
    witnesses = [witness_in(folder) for _ in range(8)]
    with log_in(folder / "log") as log, log_in(folder / "other") as other:
        log.append(entries(0, 3))
        other.append(entries(7, 10))
        bodies = [asked(one, 0) for one in (log, other)] * 4
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda pair: found.append(pair[0].answer(pair[1]).status),
                             args=[pair])
            for pair in zip(witnesses, bodies, strict=True)
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found)[0] == 200
        assert found.count(200) == 1


def policy(urls: list[str], least: int) -> LogPolicy:
    """The log, and a witness at each address."""
    lines = [f"log {key.to_text()}" for key in LOG_KEY.verifiers]
    for number, url in enumerate(urls):
        lines.append(f"witness w{number} {WITNESS_KEYS[number].verifiers[0].to_text()} {url}")
        lines.append(f"witness m{number} {WITNESS_KEYS[number].verifiers[1].to_text()} {url}")
        lines.append(f"group both{number} all w{number} m{number}")
    names = " ".join(f"both{number}" for number in range(len(urls)))
    return LogPolicy.from_bytes(
        "\n".join([*lines, f"group enough {least} {names}", "quorum enough", ""]).encode()
    )


def test_a_log_collects_cosignatures_and_waits_for_nobody(folder: Path) -> None:
    with ExitStack() as stack:
        witnesses = [witness_in(folder, number) for number in range(2)]
        urls = [stack.enter_context(running(witness_application(one))) for one in witnesses]
        log = stack.enter_context(log_in(folder / "log"))
        log.append(entries(0, 3))
        two_of_three = policy([*urls, "http://127.0.0.1:9"], 2)
        cosigner = Cosigner(log, two_of_three)
        cosigner.require_newest()
        assert cosigner.witnessed is not None
        found = SignedCheckpoint.from_bytes(cosigner.witnessed.checkpoint)
        assert set(two_of_three.require(found).witnesses) == {"w0", "m0", "w1", "m1"}
        again = Cosigner(log, two_of_three)
        assert again.witnessed == cosigner.witnessed  # kept for the next start
        again.require_newest()
        log.append(entries(3, 9))
        assert Cosigner(log, policy([*urls, "http://127.0.0.1:9"], 3)).collect() is None
        assert again.collect() is not None


@pytest.mark.parametrize(
    "times", [[10**10], list(range(1, 63)), [10**10, 5]], ids=["future", "often", "both"]
)
def test_a_witness_that_signs_the_future_or_too_often_spoils_nothing(
    folder: Path, times: list[int]
) -> None:
    """One of three is enough here; the second one answers so that no note may hold its lines."""

    async def rogue(_: Message, receive: Receive, send: Send) -> None:
        request = AddCheckpoint.from_bytes(await read_body(receive) or b"")
        key = WITNESS_KEYS[1]
        checkpoint = request.checkpoint.checkpoint
        lines = [
            TreeKey(KeyKind.WITNESS, key.origin, SECRETS, partial(float, time)).lines(checkpoint)[0]
            for time in times
        ]
        await Reply(200, write_answer(lines), "text/plain").send(send)

    with ExitStack() as stack:
        honest = stack.enter_context(running(witness_application(witness_in(folder))))
        url = stack.enter_context(running(rogue))
        log = stack.enter_context(log_in(folder / "log"))
        log.append(entries(0, 3))
        cosigner = Cosigner(log, policy([honest, url], 1))
        found = cosigner.collect()
        assert found is not None
        witnesses = policy([honest, url], 1).require(SignedCheckpoint.from_bytes(found.checkpoint))
        assert {"w0", "m0"} <= set(witnesses.witnesses)


def test_a_whole_old_copy_of_a_log_does_not_start(folder: Path) -> None:
    """Folder and database together are old: only the witness knows."""
    import shutil

    with running(witness_application(witness_in(folder))) as url:
        with log_in(folder / "log") as log:
            log.append(entries(0, 3))
        shutil.copytree(folder / "log", folder / "old")
        with log_in(folder / "log") as log:
            log.append(entries(3, 5))
            assert Cosigner(log, policy([url], 1)).collect() is not None
        with log_in(folder / "old") as old:
            with pytest.raises(CouldNotCheck, match="size 5"):
                Cosigner(old, policy([url], 1)).require_newest()
            with pytest.raises(CouldNotCheck, match="stopped writing"):
                old.append(entries(50, 52))
            assert "size 5" in old.stopped
        with log_in(folder / "old") as old:
            old.append(entries(50, 52))  # without asking: the same size, another tree
            with pytest.raises(CouldNotCheck, match="size 5"):
                Cosigner(old, policy([url], 1)).require_newest()


def test_a_key_of_a_witness_signs_no_checkpoint_of_a_log() -> None:
    checkpoint = Checkpoint("witness.example/0", TreeHead(1, bytes(32)))
    lines = WITNESS_KEYS[0].lines(checkpoint)
    assert {line.key_id for line in lines} == {key.key_id for key in WITNESS_KEYS[0].verifiers}
    assert SignedCheckpoint(checkpoint, lines).signed_by(LOG_KEY.verifiers[0]) is None
