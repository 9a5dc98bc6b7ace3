"""Whose the owner's key is, out of an archive alone: what a judge fetched of logs (SPEC 20.2)."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

import zkwm
from tests.support.archives import manifest_of
from tests.support.dispute import TestJudge
from tests.support.dispute_folder import SmallLog
from tests.support.known_owner import ACME, binding, known_owner
from tests.support.logged_commitment import log_proof, stated
from tests.support.statements import ED_KEY
from zkwm.case_archive.container import read_archive, write_archive
from zkwm.case_archive.replay import Replay
from zkwm.judge.owner_keys import OwnerKey
from zkwm.trust_folder import read_trust
from zkwm_protocols.cose.logged_statement import LoggedStatement

pytestmark = pytest.mark.usefixtures("quick_labels")


def key(replay: Replay) -> OwnerKey:
    """What is shown of the owner's key; the case is proven, whatever it is."""
    assert replay.outcome == "proven"
    assert replay.dating is not None
    (found,) = replay.dating.owner_keys
    return found


def changed(data: bytes, **files: bytes) -> bytes:
    """The archive with other statements in the place of its own."""
    _, contents = read_archive(data)
    kept = {path: one for path, one in contents.items() if not path.startswith("statement/")}
    more = {f"statement/{name}.tlog-proof": one for name, one in files.items()}
    return write_archive(manifest_of(kept | more), kept | more)


@pytest.mark.parametrize("own", [False, True], ids=["trust folder", "commitment"])
def test_the_person_is_repeated_from_the_archive_alone(
    tmp_path: Path, judge: TestJudge, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = binding()
    files = known_owner(tmp_path, judge, *(() if own else (one,)), own=(one,) if own else ())
    data, manifest = zkwm.pack_case(files, triggers=judge.secret_key)
    assert [file.role for file in manifest.files].count("statement") == (not own)
    for file in files:
        file.unlink() if file.is_file() else None
    monkeypatch.setattr(socket.socket, "connect", pytest.fail)
    replay = zkwm.check_case(data, judge.public)
    person = key(replay).person
    assert person is not None
    assert (person.person, person.authority) == (ACME, "state")
    verdict = replay.documents.verdict
    assert verdict is not None
    assert verdict.dating is not None
    assert verdict.dating.owner_keys == (key(replay),)
    (dates,) = [one for one in replay.steps if one.name == "dates"]
    assert dates.words.endswith("as the verdict says")


def test_without_the_statements_the_verdicts_person_is_not_repeated(
    tmp_path: Path, judge: TestJudge
) -> None:
    """It is said, and the outcome is the same; whoever has them gives them with their trust."""
    files = known_owner(tmp_path, judge, binding())
    data = changed(zkwm.pack_case(files, triggers=judge.secret_key)[0])
    replay = zkwm.check_case(data, judge.public)
    assert key(replay).persons == ()
    assert any("was not repeated" in one.words for one in replay.steps)
    trust = read_trust(tmp_path / "trust")
    assert key(zkwm.check_case(data, judge.public, trust=trust)).person is not None


def test_a_judge_fetched_statements_about_others_too(tmp_path: Path, judge: TestJudge) -> None:
    """Those stay in the folder."""
    files = known_owner(tmp_path, judge, binding(), binding("doe", "Doe"))
    _, manifest = zkwm.pack_case([*files, tmp_path / "trust/statements/0.tlog-proof"])
    assert [file.role for file in manifest.files].count("statement") == 1


def test_a_statement_that_is_no_owners_is_not_packed(tmp_path: Path, judge: TestJudge) -> None:
    files = known_owner(tmp_path, judge)
    for name, one in {
        "doe": binding("doe", "Doe").to_bytes(),
        "commitment": log_proof(stated(bytes(32), ED_KEY)).to_bytes(),
        "none": b"c2sp.org/tlog-proof@v1\n",
    }.items():
        path = tmp_path / f"{name}.tlog-proof"
        path.write_bytes(one)
        with pytest.raises((zkwm.UsageError, zkwm.Malformed), match=path.name):
            zkwm.pack_case([*files, path])


def test_somebody_elses_statement_in_an_archive_is_refused(
    tmp_path: Path, judge: TestJudge
) -> None:
    """By another key, or with another signature: it does not come as the owner's."""
    one = binding()
    data, _ = zkwm.pack_case(known_owner(tmp_path, judge, one), triggers=judge.secret_key)
    forged = replace(one.statement, signature=bytes(64))
    for statement in (
        binding("doe", ACME), log_proof(stated(bytes(32), ED_KEY)),
        LoggedStatement(forged, one.proof),
    ):  # fmt: skip
        with pytest.raises(zkwm.Malformed, match=r"statement/x\.tlog-proof"):
            zkwm.check_case(changed(data, x=statement.to_bytes()), judge.public)


def test_a_thiefs_later_binding_in_an_archive_comes_second(
    tmp_path: Path, judge: TestJudge
) -> None:
    """And a log proof of another tree is shown as what it is."""
    log = SmallLog()
    one, later = binding(log=log), binding(person="Mallory", days=3, log=log)
    data, _ = zkwm.pack_case(known_owner(tmp_path, judge, one), triggers=judge.secret_key)
    torn = replace(later, proof=replace(later.proof, checkpoint=one.proof.checkpoint))
    given = changed(data, a=torn.to_bytes(), b=later.to_bytes(), c=one.to_bytes())
    found = key(zkwm.check_case(given, judge.public))
    assert found.person is not None
    assert found.person.person == ACME
    assert [bool(one.problem) for one in found.persons] == [False, False, True]
