"""The view of a real log and database: what pages read is what was registered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.support.dispute import Claimant, marked, new_judge, random_images
from tests.support.filled_registry import ADDRESS, OTHER, OWNER, STRANGER
from tests.support.log_server import KEY
from zkwm.marketplace import cases
from zkwm.marketplace.kept_verdicts import keep_verdict
from zkwm.marketplace.registrations import keep_commitment
from zkwm.registry_database.database import Database
from zkwm.registry_database.tables import CASES
from zkwm.registry_service.pages.case_pages import claim_values, verdict_values
from zkwm.registry_service.pages.commitment_page import (
    commitment_values,
    key_values,
    registration,
)
from zkwm.registry_service.pages.database_view import DatabaseView
from zkwm.registry_service.pages.key_standing import key_end
from zkwm.registry_service.pages.log_page import compare, log_values
from zkwm.registry_service.pages.search import read_query, search
from zkwm.registry_service.pages.view import MOST_ROWS, KeptCommitment, LoggedEntry, RegistryView
from zkwm.sql_database import file_location
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.recovery import create_log, open_log
from zkwm.transparency_log.statements import read_statement
from zkwm_protocols.cose.contents import CommitmentStatement, commitment_subject
from zkwm_protocols.cose.key_contents import KeyBinding, KeyRevocation, RevocationReason
from zkwm_protocols.cose.statement import sign_statement
from zkwm_protocols.errors import CouldNotCheck, Malformed
from zkwm_protocols.keys import ED25519, SigningKey
from zkwm_protocols.transparency.tiles import Tile


@dataclass
class Registry:
    """A log with three statements, a commitment, a claim and its verdict."""

    view: RegistryView
    log: Log
    database: Database
    owner: Claimant
    claim: bytes
    verdict: bytes


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder: Path = tmp_path_factory.mktemp("registry")
    index = LogDatabase(folder / "database.sqlite")
    create_log(folder, KEY, index)
    database = Database(file_location(folder / "registry.sqlite"))
    owner, judge = Claimant(random_images(100), keys=(OWNER,)), new_judge()
    suspect = marked(owner.images, owner.labels)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    verdict = judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, [0]))
    file = judge.sign_verdict(verdict)
    keep_commitment(database, owner.commitment, replace=False)
    cases.issue(database, challenge, "shop/42", 3_600)
    with open_log(folder, KEY, index, read_statement) as log:
        own = OWNER.public.fingerprint()
        for content, key, issuer in (
            (CommitmentStatement(owner.commitment.digest), STRANGER, ""),
            (CommitmentStatement(owner.commitment.digest), OWNER, ADDRESS),
            (KeyBinding(own, "Ada", (), bytes(32)), OWNER, ""),
        ):
            log.append([read_statement(sign_statement(content, key, issuer).to_bytes())])
        keep_verdict(database, challenge.digest, verdict, file=file, report="", report_public="")
        view = DatabaseView(database, log, KEY.verifiers, None)
        yield Registry(view, log, database, owner, challenge.digest, file)
    database.close()
    index.close()


def test_a_commitment_and_its_key(kept: Registry) -> None:
    values = commitment_values(kept.view, kept.owner.commitment.digest)
    assert values is not None
    assert [row.index for row in values["rows"]] == [0, 1]
    assert values["registered"].index == 1
    assert values["kept"].commitment == kept.owner.commitment
    [(owner, rows)] = values["keys"]
    assert owner == OWNER.public.fingerprint()
    assert [row.claim for row in rows] == ["Ada"]
    key = key_values(kept.view, owner)
    assert key is not None
    assert key["kept"] == [kept.owner.commitment.digest.hex()]
    assert commitment_values(kept.view, bytes(32)) is None


def test_a_claim_and_its_verdict(kept: Registry) -> None:
    values = claim_values(kept.view, kept.claim)
    assert values is not None
    assert (values["claim"].state, values["claim"].outcome) == ("decided", "proven")
    assert values["verdict"]
    for name in (kept.claim, hashlib.sha256(kept.verdict).digest()):
        shown = verdict_values(kept.view, name)
        assert shown is not None
        assert shown["title"] == "Proven"
    model = values["challenge"].suspect.digest
    assert [one.challenge.digest for one in kept.view.claims(model=model)] == [kept.claim]
    assert kept.view.claims(model=bytes(32)) == []
    assert kept.view.claim(bytes(32)) is None


def test_the_log(kept: Registry) -> None:
    values = log_values(kept.view)
    assert values["head"].size == 3
    assert [one.state for one in values["signers"]] == ["signed", "signed"]
    assert [one.index for one in kept.view.newest(2)] == [2, 1]
    assert compare(kept.view, values["note"]).icon == "yes"
    first = kept.view.newest(1)[0].statement
    found = search(kept.view, read_query(hashlib.sha256(first.to_bytes()).hexdigest()))
    assert [one.kind for one in found] == ["Statement"]
    assert [one.kind for one in search(kept.view, read_query(ADDRESS))] == ["Commitment registered"]


def test_an_index_that_names_another_entry_is_refused(
    kept: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = kept.log.database.find(limit=2)
    swapped = [type(found[0])(**{**vars(found[0]), "statement": found[1].statement})]
    monkeypatch.setattr(kept.log.database, "find", lambda **_: swapped)
    fresh = DatabaseView(kept.database, kept.log, KEY.verifiers, None)
    with pytest.raises(Malformed):
        fresh.statements(commitment_subject(kept.owner.commitment.digest))


def test_no_flood_hides_a_revocation_or_a_registration(kept: Registry) -> None:
    """A hundred statements before it, by strangers or by a thief who has the key."""
    own, digest = OTHER.public.fingerprint(), bytes([8] * 32)
    late = KeyRevocation(own, 4_000_000_000, RevocationReason.SUPERSEDED)
    flood = [
        sign_statement(KeyBinding(own, f"{n}", (), bytes(32)), OTHER) for n in range(MOST_ROWS)
    ]
    flood += [sign_statement(replace(late, since=late.since + n), OTHER) for n in range(MOST_ROWS)]
    kept.log.append([read_statement(one.to_bytes()) for one in flood])
    assert key_end(kept.view, own) is None
    revocation = sign_statement(KeyRevocation(own, 1, RevocationReason.COMPROMISED), OTHER)
    kept.log.append([read_statement(revocation.to_bytes())])
    end = key_end(kept.view, own)
    assert end is not None
    assert end.word == "revoked"
    strangers = [
        sign_statement(CommitmentStatement(digest), SigningKey.generate(ED25519))
        for _ in range(MOST_ROWS)
    ]
    kept.log.append([read_statement(one.to_bytes()) for one in strangers])
    entries = kept.view.statements(commitment_subject(digest))
    owners = sign_statement(CommitmentStatement(digest), OWNER)
    entry = LoggedEntry(kept.log.row.size, owners)
    found = registration(entries, KeptCommitment(kept.owner.commitment, 1, entry))
    assert found == entry


def test_a_key_with_too_many_statements_is_doubtful(
    kept: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zkwm.registry_service.pages.key_standing.MOST_OF_A_KEY", 2)
    end = key_end(kept.view, OTHER.public.fingerprint())
    assert end is not None
    assert (end.word, end.grave) == ("doubtful", True)


def test_a_damaged_claim_is_refused(kept: Registry) -> None:
    with kept.database.writing() as connection:
        file = connection.execute(CASES.select()).one().file
        connection.execute(update(CASES).values(file=file[:-1]))
    try:
        with pytest.raises(CouldNotCheck):
            claim_values(kept.view, kept.claim)
    finally:
        with kept.database.writing() as connection:
            connection.execute(update(CASES).values(file=file))


def test_neighbors_in_the_log_are_read_from_disk_once(
    kept: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle has up to 16 MiB: a page of a hundred entries does not read it a hundred times."""
    read: list[Tile] = []
    whole = kept.log.files.read
    monkeypatch.setattr(kept.log.files, "read", lambda tile: (read.append(tile), whole(tile))[1])
    fresh = DatabaseView(kept.database, kept.log, KEY.verifiers, None)
    assert len(fresh.newest(3)) == 3
    assert len(read) == 1
