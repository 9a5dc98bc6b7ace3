"""case check and dispute name the person behind the owner's key."""

from __future__ import annotations

from pathlib import Path

import pytest

import zkwm as library
from tests.support.case_files import Command
from tests.support.dispute import new_judge
from tests.support.dispute_folder import DisputeFolder, Forger
from tests.support.known_owner import ACME, ROOT, binding, known_owner

pytestmark = pytest.mark.usefixtures("quick_labels")
SHOWN = f'"{ACME}", by a certificate of state; logged by'


def test_the_person_of_a_case(zkwm: Command, tmp_path: Path) -> None:
    judge, archive = new_judge(), tmp_path / "case.zip"
    files = known_owner(tmp_path, judge, binding())
    archive.write_bytes(library.pack_case(files, triggers=judge.secret_key)[0])
    done = zkwm("case", "check", archive, "--judge", tmp_path / "judge.key.pub")
    assert done.code == 0, done.stderr
    assert f"person        behind the key {judge_key(archive)}: {SHOWN}" in done.stdout
    values = zkwm("case", "check", archive, "--json").json
    assert (values["persons"][0]["person"], values["knowing_persons"]) == (ACME, ["state"])


def judge_key(archive: Path) -> str:
    """The fingerprint of the owner's key in an archive."""
    replay = library.check_case(archive.read_bytes())
    return replay.documents.commitment.header.owner_keys[0].fingerprint()


def test_the_person_of_a_dispute(zkwm: Command, tmp_path: Path) -> None:
    folder = DisputeFolder(tmp_path, Forger())
    acme = folder.party("acme", days=30)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    people = tmp_path / "trust/people/state"
    people.mkdir(parents=True)
    (people / "root.pem").write_bytes(ROOT.pem)
    folder.case["statements"] = ["key.tlog-proof"]
    (tmp_path / "key.tlog-proof").write_bytes(binding().to_bytes())
    report = tmp_path / "d.html"
    done = zkwm("dispute", folder.write(), "--report", report)
    assert done.code == 0, done.stderr
    assert "Persons behind the keys" in done.stdout
    assert SHOWN in " ".join(done.stdout.split())
    assert f"&#34;{ACME}&#34;, by a certificate of state" in report.read_text(encoding="utf-8")
    values = zkwm("dispute", folder.write(), "--json").json
    assert values["parties"][0]["persons"][0]["person"] == ACME
