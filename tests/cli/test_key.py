"""key: from a vault to a person, a successor and an end, by a real log with its witness."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CHEAP
from tests.support.case_files import PASSPHRASE, Command
from tests.support.certificate_authority import DAY, Certified, certify, new_key, now
from tests.support.statements import SIGNS
from tests.support.timestamp_authority import needs_openssl
from tests.support.witnessed_service import WitnessedService, witnessed_service
from zkwm.owner.vault import Vault

PERSON = "ACME Ltd"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A log, a trust folder by it, and two vaults, where the commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZKWM_PASSPHRASE", PASSPHRASE)
    for name in ("acme.vault", "next.vault"):
        Vault.create(name, PASSPHRASE, cost=CHEAP)
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust/trust.toml").write_text("authorities_needed = 1\n")
    with witnessed_service(tmp_path) as running:
        (tmp_path / "trust/log-policy").write_text(running.policy)
        yield running


def card(folder: Path, name: str = PERSON) -> Certified:
    """A person's card and its key in files, under a root in the trust folder."""
    root = certify("Persons", new_key(), ca=True, start=now() - 9 * DAY)
    made = certify(name, new_key(), root, usages=SIGNS, start=now() - 8 * DAY)
    (folder / "trust/people/state").mkdir(parents=True)
    (folder / "trust/people/state/root.pem").write_bytes(root.pem)
    (folder / "card.pem").write_bytes(made.pem)
    (folder / "card.key").write_bytes(made.key_pem)
    return made


def logged(zkwm: Command, service: WitnessedService, name: str) -> str:
    """A statement's file, registered; the name of its proof."""
    done = zkwm("key", "log", name, "--log", service.url, "--trust", "trust", "--json",
                "--output", f"{name}.tlog-proof")  # fmt: skip
    assert done.code == 0, done.stderr
    return f"{name}.tlog-proof"


def shown(zkwm: Command, *proofs: str) -> dict[str, Any]:
    """What is said about each key, by fingerprint."""
    found = zkwm("key", "show", *proofs, "--trust", "trust", "--json")
    assert found.code == 0, found.stderr
    return {row["key"]: row for row in found.json["keys"]}


@needs_openssl
def test_a_card_binds_a_vaults_key_and_a_successor_follows(
    zkwm: Command, tmp_path: Path, service: WitnessedService
) -> None:
    card(tmp_path)
    named = ("--vault", "acme.vault", "--person", PERSON)
    made = zkwm("key", "claim", *named, "--output", "claim", "--json")
    key = made.json["key"]
    subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", "card.key", "-out", "signature", "claim"],
        check=True,
    )
    unsigned = zkwm("key", "bind", *named, "--certificates", "card.pem", "--output", "bound")
    assert (unsigned.code, Path("bound").exists()) == (3, False)
    bound = zkwm("key", "bind", *named, "--certificates", "card.pem", "--signature", "signature",
                 "--output", "bound", "--json")  # fmt: skip
    assert bound.code == 0, bound.stderr
    rotated = zkwm("key", "rotate", "--vault", "acme.vault", "--successor", "next.vault",
                   "--output", "rotated", "--json")  # fmt: skip
    assert rotated.code == 0, rotated.stderr
    proofs = [logged(zkwm, service, name) for name in ("bound", "rotated")]
    rows = shown(zkwm, *proofs)
    assert rows[key]["persons"][0]["authority"] == "state"
    assert rows[key]["persons"][0]["problem"] == ""
    assert rows[key]["successor"]["index"] == 1
    following = rows[rows[key]["successor"]["key"]]
    assert (rows[key]["counts"], following["counts"]) == (False, True)
    assert following["predecessors"][0]["key"] == key
    said = zkwm("key", "show", *proofs, "--trust", "trust").stdout
    for words in (f"is bound to {PERSON} by state", "was left for", "is bound to nobody"):
        assert words in " ".join(said.split())


def test_a_revocation_signed_at_keygen_ends_a_key_whose_vault_is_lost(
    zkwm: Command, tmp_path: Path, service: WitnessedService
) -> None:
    made = zkwm("keygen", "--output", "new.vault", "--revocation", "new.revocation", "--json")
    assert made.code == 0, made.stderr
    assert Path("new.revocation").stat().st_mode & 0o77 == 0
    Path("new.vault").unlink()
    row = shown(zkwm, logged(zkwm, service, "new.revocation"))[made.json["fingerprint"]]
    assert (row["counts"], row["revocation"]["reason"]) == (False, "lost")
    again = zkwm("keygen", "--output", "other.vault", "--revocation", "new.revocation")
    assert (again.code, Path("other.vault").exists()) == (2, False)


def test_a_document_and_a_root_that_nobody_trusts_bind_to_nobody(
    zkwm: Command, tmp_path: Path, service: WitnessedService
) -> None:
    Path("deed.pdf").write_bytes(b"%PDF of a notary")
    bind = ("key", "bind", "--vault", "acme.vault", "--person", PERSON)
    assert zkwm(*bind, "--output", "deed").code == 2
    assert zkwm(*bind, "--document", "deed.pdf", "--output", "deed").code == 0
    proof = logged(zkwm, service, "deed")
    said = " ".join(zkwm("key", "show", proof, "--trust", "trust").stdout.split())
    assert "by a document that you have to read" in said
    assert "is bound to" not in said


def test_a_revocation_for_a_compromise_is_shown_with_the_time_that_it_names(
    zkwm: Command, service: WitnessedService
) -> None:
    done = zkwm("key", "revoke", "--vault", "acme.vault", "--reason", "compromised",
                "--since", "2026-03-01", "--output", "revoked", "--json")  # fmt: skip
    assert done.code == 0, done.stderr
    proof = logged(zkwm, service, "revoked")
    past = zkwm("key", "show", proof, "--trust", "trust", "--at", "2026-04-01", "--json").json
    row = past["keys"][0]
    assert (row["counts"], row["revocation"]) == (True, None)
    assert row["suspected"]["since"] == "2026-03-01T00:00:00Z"


def test_what_show_and_log_refuse(zkwm: Command, tmp_path: Path, service: WitnessedService) -> None:
    revoke = ("key", "revoke", "--vault", "acme.vault", "--reason", "lost")
    assert zkwm(*revoke, "--output", "lost", "--since", "soon").code == 2
    assert zkwm(*revoke, "--output", "lost").code == 0
    assert zkwm("key", "log", "lost", "--log", service.url, "--output", "p").code == 2
    unlogged = zkwm("key", "show", "lost", "--trust", "trust")
    assert unlogged.code == 3
    assert "log it: zkwm key log" in unlogged.stderr
    proof = logged(zkwm, service, "lost")
    card(tmp_path)
    Path("trust/people/state/notes.txt").write_text("trust me")
    assert zkwm("key", "show", proof, "--trust", "trust").code == 3
    Path("trust/people/state/notes.txt").unlink()
    assert zkwm("key", "show", proof, "--trust", "trust").code == 0
    other = service.policy.replace("quorum both", "quorum none")
    Path("trust/log-policy").write_text(other)
    refused = zkwm("key", "show", proof, "--trust", "trust")
    assert refused.code == 3
    assert "does not say when" in refused.stderr


def bound(zkwm: Command, service: WitnessedService) -> str:
    """The vault's key bound to the card's person, logged; the name of the proof."""
    named = ("--vault", "acme.vault", "--person", PERSON)
    assert zkwm("key", "claim", *named, "--output", "claim").code == 0
    sign = ["openssl", "dgst", "-sha256", "-sign", "card.key", "-out", "signature", "claim"]
    subprocess.run(sign, check=True)
    made = zkwm("key", "bind", *named, "--certificates", "card.pem", "--signature", "signature",
                "--output", "bound")  # fmt: skip
    assert made.code == 0, made.stderr
    return logged(zkwm, service, "bound")


@needs_openssl
def test_a_commitment_carries_whose_it_is_and_inspect_shows_the_person(
    zkwm: Command, tmp_path: Path, service: WitnessedService
) -> None:
    """Also where the judge has the statement of the log, and no longer when its root is gone."""
    card(tmp_path)
    proof = bound(zkwm, service)
    made = zkwm(
        *("commit", "--vault", "acme.vault", "--generate", 200, "--family", "blocks"),
        *("--shape", "1,16,16", "--classes", 10, "--output", "acme.commitment"),
    )
    assert made.code == 0, made.stderr
    own = ("--vault", "acme.vault", "--commitment", "acme.commitment", "--trust", "trust")
    foreign = zkwm("register", "--vault", "next.vault", *own[2:], "--key-statement", proof,
                   "--output", "x")  # fmt: skip
    assert (foreign.code, Path("x").exists()) == (2, False)
    done = zkwm("register", *own, "--key-statement", proof, "--output", "bound.commitment",
                "--json")  # fmt: skip
    assert done.code == 0, done.stderr
    assert (done.json["key_proofs"], done.json["timestamps"]) == (1, 0)
    assert "1 statement about your key in the file" in done.stderr

    def persons(file: str) -> tuple[str | None, str]:
        found = zkwm("inspect", file, "--trust", "trust", "--json").json["fields"]["persons"]
        shown = zkwm("inspect", file, "--trust", "trust").stdout
        return found[0]["person"], " ".join(shown.split())

    person, said = persons("bound.commitment")
    assert person == PERSON
    assert f'"{PERSON}", by a certificate of state; logged by' in said
    assert zkwm("inspect", "bound.commitment", "--json").json["fields"]["persons"] is None
    person, said = persons("acme.commitment")
    assert (person, "nobody is shown" in said) == (None, True)
    Path("trust/statements").mkdir()
    Path("trust/statements/bound.tlog-proof").write_bytes(Path(proof).read_bytes())
    assert persons("acme.commitment")[0] == PERSON
    Path("trust/people/state/root.pem").write_bytes(
        certify("Others", new_key(), ca=True, start=now() - 9 * DAY).pem
    )
    person, said = persons("bound.commitment")
    assert (person, "which does not hold: no chain" in said) == (None, True)
    Path("trust/statements/notes.txt").write_text("trust me")
    assert zkwm("inspect", "bound.commitment", "--trust", "trust").code == 3


def test_a_log_is_asked_for_all_that_it_has_about_a_key(
    zkwm: Command, tmp_path: Path, service: WitnessedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a revocation that nobody handed over; checkpoints that were seen are compared."""
    monkeypatch.setenv("ZKWM_STATE", str(tmp_path / "state"))
    for reason, name in (("superseded", "first"), ("lost", "second")):
        revoke = ("key", "revoke", "--vault", "acme.vault", "--reason", reason)
        made = zkwm(*revoke, "--since", "2026-03-01", "--output", name, "--json")
        logged(zkwm, service, name)
    key = made.json["key"]
    show = ("key", "show", "--trust", "trust", "--key", key, "--log", service.url)
    for more in ((), ("--every-entry",)):
        found = zkwm(*show, *more, "--json")
        assert found.code == 0, found.stderr
        assert found.json["keys"][0]["revocation"]["reason"] == "superseded"
        assert "2 statements in a tree of 2 entries" in found.stderr
    assert ("read whole" in found.stderr, len(list(Path("state/checkpoints").iterdir()))) == (
        True,
        2,
    )
    assert zkwm(*show, "--save", "trust/statements").code == 0
    kept = {one.name: one.read_bytes() for one in Path("trust/statements").iterdir()}
    assert len(kept) == 2
    assert zkwm(*show, "--save", "trust/statements").code == 0  # an earlier proof stays
    assert {one.name: one.read_bytes() for one in Path("trust/statements").iterdir()} == kept
    offline = zkwm("key", "show", "--trust", "trust", "--json")
    assert [row["key"] for row in offline.json["keys"]] == [key]
    trusting = ("key", "show", "--trust", "trust")
    for wrong in (
        (*trusting, "--log", service.url),
        (*trusting, "--save", "x"),
        (*trusting, "--key", "acme", "--log", service.url),
    ):
        assert zkwm(*wrong).code == 2
    gone = zkwm(*trusting, "--key", key, "--log", "http://127.0.0.1:9")
    assert gone.code == 3
    for one in Path("trust/statements").iterdir():
        one.unlink()
    assert zkwm("key", "show", "--trust", "trust").code == 2
