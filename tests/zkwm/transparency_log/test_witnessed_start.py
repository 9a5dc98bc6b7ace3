"""A log takes nothing after a start before a quorum of its witnesses has cosigned what it found."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.faulty_disk import FaultyDisk
from tests.support.logs import contents, describe, entries, memory_folder
from tests.support.running_server import running
from tests.zkwm.transparency_log.test_witness import (
    LOG_KEY,
    WITNESS_KEYS,
    asked,
    log_in,
    policy,
    witness_in,
)
from zkwm.transparency_log import cosigning
from zkwm.transparency_log.asked_witnesses import fitting
from zkwm.transparency_log.cosigning import Cosigner
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.http_server import App, Message, Receive, Reply, Send, read_body
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.recovery import open_log
from zkwm.transparency_log.refusals import RefusedError
from zkwm.transparency_log.sequencer import Sequencer
from zkwm.transparency_log.tree_key import KeyKind, TreeKey
from zkwm.transparency_log.witness import Witness
from zkwm.transparency_log.witness_service import witness_application
from zkwm.transparency_log.witness_state import WitnessState
from zkwm_protocols.errors import CouldNotCheck, UsageError
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.note import NoteSignature
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.tree import TreeHead

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(cosigning, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(cosigning, "SOON_SECONDS", 0.0)
    monkeypatch.setattr(cosigning, "AGAIN_SECONDS", 0.05)
    with memory_folder() as made:
        yield made


def unless(silent: list[bool], app: App) -> App:
    """A witness that answers nothing of use while ``silent`` holds anything."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if silent:
            await read_body(receive)
            await Reply(500, b"", "text/plain").send(send)
            return
        await app(scope, receive, send)

    return answer


def test_an_old_copy_takes_nothing_while_no_witness_answers_and_ends_when_one_does(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Folder and database are restored together; the witness that knows better is away at first."""
    silent: list[bool] = []
    with running(unless(silent, witness_application(witness_in(folder)))) as url:
        with log_in(folder / "log") as log:
            log.append(entries(0, 3))
        shutil.copytree(folder / "log", folder / "old")
        with log_in(folder / "log") as log:
            log.append(entries(3, 5))
            assert Cosigner(log, policy([url], 1)).collect() is not None
        silent.append(True)
        with log_in(folder / "old") as old, ExitStack() as stack:
            cosigner = Cosigner(old, policy([url], 1))
            with caplog.at_level(logging.WARNING):
                cosigner.require_newest()
            assert url in caplog.text
            sequencer = Sequencer(old)
            stack.callback(sequencer.close)
            with pytest.raises(RefusedError, match="witnesses have not cosigned"):
                sequencer.submit(entries(50, 51)[0])
            with pytest.raises(RefusedError, match="witnesses have not cosigned"):
                old.append(entries(50, 51))
            silent.clear()
            assert cosigner.collect() is None
            assert "size 5" in old.stopped
            assert "old copies" in old.stopped
            assert old.row.size == 3


def test_the_newest_log_goes_on_as_soon_as_its_quorum_has_cosigned(folder: Path) -> None:
    silent = [True]
    with ExitStack() as stack:
        apps = [witness_application(witness_in(folder, number)) for number in range(2)]
        urls = [stack.enter_context(running(unless(silent, app))) for app in apps]
        log = stack.enter_context(log_in(folder / "log"))
        log.append(entries(0, 3))
        cosigner = Cosigner(log, policy([*urls, NOBODY], 2))
        cosigner.require_newest()
        assert log.held != ""
        silent.clear()
        assert cosigner.collect() is not None
        assert log.append(entries(3, 4)).size == 4


def test_a_person_can_say_that_nothing_is_an_old_copy(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is written down; and a witness that knows better ends the log all the same."""
    with log_in(folder / "log") as log, log_in(folder / "other") as other:
        log.append(entries(0, 3))
        other.append(entries(10, 15))
        silent = [True]
        witness = witness_in(folder)
        assert witness.answer(asked(other, 0)).status == 200
        with running(unless(silent, witness_application(witness))) as url:
            cosigner = Cosigner(log, policy([url], 1), without_witnesses=True)
            with caplog.at_level(logging.WARNING):
                cosigner.require_newest()
            assert "a person has said" in caplog.text
            assert log.append(entries(3, 4)).size == 4
            silent.clear()
            cosigner.collect()
            assert "size 5" in log.stopped


def test_entries_ahead_are_not_signed_before_the_witnesses_are_asked(folder: Path) -> None:
    """An old copy with durable, unsigned entries: nothing of it is signed."""
    with log_in(folder / "log") as log:
        log.append(entries(0, 3))
    shutil.copytree(folder / "log", folder / "old")
    with log_in(folder / "log") as log:
        log.append(entries(3, 5))
        witness = witness_in(folder)
        assert witness.answer(asked(log, 0)).status == 200
    for kept in ("tile/entries/000.p", "tile/0/000.p"):  # the files went further than the row
        shutil.copytree(
            folder / "log/public" / kept, folder / "old/public" / kept, dirs_exist_ok=True
        )
    database = LogDatabase(folder / "old/database.sqlite")
    checkpoint = (folder / "old/public/checkpoint").read_bytes()
    with running(witness_application(witness)) as url:

        def ask(log: Log) -> None:
            Cosigner(log, policy([url], 1)).require_newest()

        with (
            pytest.raises(CouldNotCheck, match="size 5"),
            open_log(folder / "old", LOG_KEY, database, describe, FaultyDisk(), ask=ask),
        ):
            pass
    assert (folder / "old/public/checkpoint").read_bytes() == checkpoint
    with running(unless([True], witness_application(witness))) as url:  # nor while they are away
        opening = open_log(folder / "old", LOG_KEY, database, describe, FaultyDisk(), ask=ask)
        with opening as log:
            assert log.row.size == 3
            log.hold("")
            log.append(entries(5, 6))  # what is ahead stands first
            assert contents(log) == [one.data for one in entries(0, 6)]
    database.close()


def test_an_old_answer_of_a_witness_is_no_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody on the way gives the old copy the cosignature that it had once."""
    clock = [1_800_000_000.0]
    monkeypatch.setattr("zkwm.transparency_log.asked_witnesses.time.time", lambda: clock[0])
    key = TreeKey(KeyKind.WITNESS, "witness.example/1", (bytes(32), bytes(range(32))),
                  lambda: 1_800_000_000.0)  # fmt: skip
    state = WitnessState(folder / "witness.sqlite")
    witness = Witness(key, {LOG_KEY.origin: LOG_KEY.verifiers}, state)
    lines = [f"log {one.to_text()}" for one in LOG_KEY.verifiers]
    with log_in(folder / "log") as log, running(witness_application(witness)) as url:
        log.append(entries(0, 3))
        lines.append(f"witness w {WITNESS_KEYS[1].verifiers[0].to_text()} {url}")
        chosen = LogPolicy.from_bytes("\n".join([*lines, "quorum w", ""]).encode())
        clock[0] += 3600
        late = Cosigner(log, chosen)
        late.require_newest()
        assert log.held != ""
        clock[0] -= 3600
        late.collect()
        assert log.held == ""


def test_a_clock_a_year_ahead_poisons_no_witness(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its operator is named; once the clock is right, it counts for the very same tree."""
    import time

    ahead = [365 * 86_400.0]
    key = TreeKey(KeyKind.WITNESS, "witness.example/1", (bytes(32), bytes(range(32))),
                  lambda: time.time() + ahead[0])  # fmt: skip
    witness = Witness(
        key, {LOG_KEY.origin: LOG_KEY.verifiers}, WitnessState(folder / "witness.sqlite")
    )
    with log_in(folder / "log") as log, running(witness_application(witness)) as url:
        log.append(entries(0, 3))
        line = f"witness w {WITNESS_KEYS[1].verifiers[0].to_text()} {url}"
        logs = [f"log {one.to_text()}" for one in LOG_KEY.verifiers]
        chosen = LogPolicy.from_bytes("\n".join([*logs, line, "quorum w", ""]).encode())
        cosigner = Cosigner(log, chosen)
        with caplog.at_level(logging.WARNING):
            cosigner.require_newest()
        assert "witness.example/1 and of this machine differ by" in caplog.text
        assert log.held != ""
        ahead[0] = 0.0
        assert cosigner.collect() is not None
        assert log.held == ""


def test_a_row_that_was_signed_by_a_clock_ahead_is_signed_again(folder: Path) -> None:
    """The same tree: else no verifier would take it before that time."""
    import time

    ahead = [365 * 86_400.0]
    key = TreeKey(KeyKind.LOG, LOG_KEY.origin, (bytes(32), bytes(range(32))),
                  lambda: time.time() + ahead[0])  # fmt: skip
    from zkwm.transparency_log.recovery import create_log

    (folder / "log").mkdir()
    database = LogDatabase(folder / "log/database.sqlite")
    create_log(folder / "log", key, database, FaultyDisk())
    with open_log(folder / "log", key, database, describe, FaultyDisk()) as log:
        row = log.append(entries(0, 3))
        assert not key.is_of_the_future(row.checkpoint)
    ahead[0] = 0.0
    assert key.is_of_the_future(row.checkpoint)
    with open_log(folder / "log", key, database, describe, FaultyDisk()) as log:
        assert (log.row.size, log.row.root) == (row.size, row.root)
        assert not key.is_of_the_future(log.row.checkpoint)
        assert log.files.checkpoint() == log.row.checkpoint
        assert log.append(entries(3, 4)).size == 4
    database.close()


def test_a_policy_whose_quorum_cannot_be_asked_is_refused_at_the_start(folder: Path) -> None:
    lines = [f"log {one.to_text()}" for one in LOG_KEY.verifiers]
    lines += [f"witness w {WITNESS_KEYS[0].verifiers[0].to_text()}", "quorum w", ""]
    with (
        log_in(folder / "log") as log,
        pytest.raises(UsageError, match="address to too few witnesses"),
    ):
        Cosigner(log, LogPolicy.from_bytes("\n".join(lines).encode())).require_newest()


def test_more_witnesses_than_a_note_has_lines_still_give_a_quorum() -> None:
    """32 witnesses with two keys each, in a note of 64 lines with the log's own two."""
    keys = [TreeKey.generate(KeyKind.WITNESS, f"many.example/{number}") for number in range(32)]
    definitions = [f"log {one.to_text()}" for one in LOG_KEY.verifiers]
    lines: dict[str, NoteSignature] = {}
    for number, key in enumerate(keys):
        for letter, one in zip("wm", key.verifiers, strict=True):
            definitions.append(f"witness {letter}{number} {one.to_text()} {NOBODY}")
            lines[f"{letter}{number}"] = NoteSignature(one.name, one.key_id, bytes(72))
        definitions.append(f"group both{number} all w{number} m{number}")
    names = " ".join(f"both{number}" for number in range(32))
    signed = SignedCheckpoint.from_bytes(LOG_KEY.sign(TreeHead(3, bytes(32))))
    for needed in (1, 30, 31, 32):
        text = "\n".join([*definitions, f"group most {needed} {names}", "quorum most", ""])
        chosen = fitting(LogPolicy.from_bytes(text.encode()), lines, signed)
        assert len(chosen) == (62 if needed < 32 else 0)
        kept = {name for name, line in lines.items() if line in chosen}
        assert LogPolicy.from_bytes(text.encode()).reached_by(kept) == (needed < 32)
        signed.with_signatures(chosen)
