"""Whose the parties' keys are: shown in the verdict of a dispute, and no outcome rests on it.

SPEC 28.9. Forged, late and borrowed bindings are those of tests/adversarial/test_false_persons.py;
here they stand where a dispute takes them from.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

from tests.support.certificate_authority import DAY, Certified, certify, new_key, now
from tests.support.dispute_folder import DisputeFolder, SmallLog, key_of, moment
from tests.support.html_page import Page
from tests.support.statements import SIGNS, bound_by
from tests.zkwm.disputes.test_split_views import second_tree
from zkwm.disputes.page import render_dispute_page
from zkwm.disputes.results import DisputeOutcome
from zkwm.disputes.settle import settle_dispute
from zkwm.disputes.text import render_dispute_text
from zkwm.disputes.verdict import DisputeVerdict
from zkwm.json_schemas import json_schema
from zkwm.judge.owner_keys import MOST_PERSONS, OwnerKey
from zkwm_protocols.cose.key_contents import KeyBinding, KeyRevocation, RevocationReason
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.errors import InvalidSignature

ACME = "ACME Ltd"
_WHOLE: dict[str, Any] = {"start": now() - 900 * DAY, "end": now() + 900 * DAY}
ROOT = certify("Persons", new_key(), ca=True, **_WHOLE)
STRANGER = certify("Anybody", new_key(), ca=True, **_WHOLE)


def card(name: str = ACME, issuer: Certified = ROOT, end: int = -300) -> Certified:
    """A person's certificate from 300 days ago until ``end`` days ago."""
    times = {"start": moment(300), "end": moment(end)}
    return certify(name, new_key(), issuer, usages=SIGNS, **times)


@pytest.fixture
def theft(folder: DisputeFolder) -> DisputeFolder:
    """Acme's mark in Doe's model; the judge trusts an authority for persons."""
    acme = folder.party("acme", days=30)
    folder.party("doe", days=3)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    place = folder.folder / "trust" / "people" / "state"
    place.mkdir(parents=True)
    (place / "root.pem").write_bytes(ROOT.pem)
    return folder


def bind(
    folder: DisputeFolder, person: str = ACME, made: Certified | None = None, days: float = 25,
    party: str = "acme",
) -> LoggedStatement:  # fmt: skip
    """The party's key, bound to a person so many days ago."""
    key = key_of(party)
    content = bound_by(key.public.fingerprint(), made or card(person), person)
    return folder.log.add(content, key, days)


def in_commitment(folder: DisputeFolder, *statements: LoggedStatement) -> None:
    """Statements in the commitment's file."""
    acme = folder.parties["acme"]
    acme.commitment = replace(acme.commitment, key_proofs=statements)


def in_trust(folder: DisputeFolder, *statements: LoggedStatement) -> None:
    """Statements that the judge fetched of a log."""
    place = folder.folder / "trust" / "statements"
    place.mkdir(exist_ok=True)
    for number, one in enumerate(statements):
        (place / f"{number}.tlog-proof").write_bytes(one.to_bytes())


def in_case(folder: DisputeFolder, *statements: LoggedStatement) -> None:
    """Statements that the case names."""
    names = folder.case.setdefault("statements", [])
    for one in statements:
        names.append(f"{len(names)}.tlog-proof")
        (folder.folder / names[-1]).write_bytes(one.to_bytes())


PLACES: dict[str, Callable[..., None]] = {
    "the commitment's file": in_commitment, "the trust folder": in_trust, "the case": in_case,
}  # fmt: skip


def row(verdict: DisputeVerdict, party: str = "acme") -> OwnerKey:
    """What is shown of a party's key; the owner wins, whatever it is."""
    assert (verdict.outcome, verdict.decision.party) == (DisputeOutcome.SUPPORTED, "acme")
    (found,) = verdict.found.party(party).keys
    assert found.key == key_of(party).public.fingerprint()
    return found


def told(verdict: DisputeVerdict) -> str:
    """Text and page, which say the same of persons."""
    text = " ".join(render_dispute_text(verdict, width=4_000).split())
    page = " ".join(Page(render_dispute_page(verdict)).text.split()).casefold()
    for part in ("nobody is shown", "does not hold", "is revoked", "by a certificate of"):
        assert (part in text) == (part in page), part
    values = json.loads(json.dumps(verdict.to_json()))
    validate(values, json_schema(values["schema"]))
    return text


@pytest.mark.parametrize("put", PLACES.values(), ids=PLACES)
def test_the_person_behind_each_key_is_shown(
    theft: DisputeFolder, put: Callable[..., None]
) -> None:
    """From each place where a judge may have the statement."""
    put(theft, bind(theft))
    verdict = theft.settle()
    person = row(verdict).person
    assert person is not None
    assert (person.person, person.authority, person.log) == (ACME, "state", "log.example/1")
    said = told(verdict)
    assert f'"{ACME}", by a certificate of state; logged by' in said
    assert f"doe, by the key {key_of('doe').public.fingerprint()}: - nobody is shown" in said
    values = verdict.to_json()
    assert [one["persons"][0]["person"] for one in values["parties"]] == [ACME, None]
    assert values["knowing_persons"] == ["state"]


def test_who_repeats_the_dispute_offline_sees_the_same_persons(
    theft: DisputeFolder, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_commitment(theft, bind(theft))
    in_trust(theft, bind(theft, days=20))
    in_case(theft, bind(theft, "Doe", days=24, party="doe"))
    first = theft.settle()
    copy = tmp_path_factory.mktemp("copy") / "case"
    shutil.copytree(theft.folder, copy)
    monkeypatch.setattr(socket.socket, "connect", pytest.fail)
    again = settle_dispute(copy / "CASE.yaml")
    assert [one.keys for one in again.found.parties] == [one.keys for one in first.found.parties]
    assert again.people == first.people
    assert row(again, "doe").person is not None


def test_nobody_is_shown_where_nothing_is_known(theft: DisputeFolder) -> None:
    assert row(theft.settle()) == OwnerKey(key_of("acme").public.fingerprint())
    shutil.rmtree(theft.folder / "trust" / "people")
    assert "nobody is shown: the judge names nobody who knows persons" in told(theft.settle())


def test_a_trust_of_the_judges_own_says_whom_it_knows(theft: DisputeFolder, tmp_path: Path) -> None:
    """Whoever decides again by another trust sees other persons, and the same outcome."""
    in_commitment(theft, bind(theft))
    theft.write()
    other = replace(theft.trust, people=())
    verdict = settle_dispute(theft.folder / "CASE.yaml", trust=other)
    assert row(verdict).person is None
    assert "no chain" in row(verdict).persons[0].problem


def _own_root(theft: DisputeFolder) -> LoggedStatement:
    return bind(theft, made=card(issuer=STRANGER))


def _expired(theft: DisputeFolder) -> LoggedStatement:
    return bind(theft, made=card(end=40))


def _another_tree(theft: DisputeFolder) -> LoggedStatement:
    one, other = bind(theft), bind(theft, days=20)
    return replace(one, proof=replace(one.proof, checkpoint=other.proof.checkpoint))


FALSE: dict[str, Callable[[DisputeFolder], LoggedStatement]] = {
    "a root of the party's own": _own_root,
    "expired when it was logged": _expired,
    "a log whose signatures are another tree's": _another_tree,
}


@pytest.mark.parametrize(
    ("made", "put"), list(zip(FALSE.values(), PLACES.values(), strict=True)), ids=FALSE
)
def test_a_binding_that_does_not_hold_is_shown_as_such(
    theft: DisputeFolder,
    made: Callable[[DisputeFolder], LoggedStatement],
    put: Callable[..., None],
) -> None:
    put(theft, made(theft))
    found = row(verdict := theft.settle())
    assert found.person is None
    (one,) = found.persons
    assert (one.authority, bool(one.problem)) == ("", True)
    assert "which does not hold" in told(verdict)


def test_a_log_that_is_not_believed_says_nothing_of_persons(theft: DisputeFolder) -> None:
    """An operator who signs a second tree for a thief cannot put a person behind a key."""
    in_commitment(theft, bind(theft))
    in_trust(theft, bind(theft, "Mallory", days=20))
    theft.saw(theft.log.checkpoint(theft.log.tree.head(), 5), second_tree(theft, 3))
    found = row(verdict := theft.settle())
    assert found.person is None
    assert [one.person for one in found.persons] == [ACME, "Mallory"]
    assert {one.problem for one in found.persons} == {
        "its log has signed two trees, and is not believed"
    }
    assert "its log has signed two trees" in told(verdict)


@pytest.mark.parametrize("put", [in_commitment, in_trust], ids=["commitment", "trust"])
def test_two_trees_are_seen_wherever_statements_about_keys_come_from(
    theft: DisputeFolder, put: Callable[..., None]
) -> None:
    """The operator and all witnesses sign a tree for each side; no checkpoint is named."""
    put(theft, bind(theft))
    theft.log = SmallLog()
    in_case(theft, bind(theft, "Mallory", days=28))
    found = row(verdict := theft.settle())
    assert found.person is None
    assert {one.problem for one in found.persons} == {
        "its log has signed two trees, and is not believed"
    }
    assert len(verdict.equivocations) == (put is in_commitment)  # no outcome rests on the trust's


def test_a_thief_of_the_key_comes_second(theft: DisputeFolder) -> None:
    """They bind it to themselves, by a card that is as good, and hand that in with the case."""
    owners, thiefs = bind(theft), bind(theft, "Mallory", days=4)
    in_case(theft, thiefs)
    in_commitment(theft, owners)
    found = row(verdict := theft.settle())
    assert found.person is not None
    assert (found.person.person, len(found.persons)) == (ACME, 2)
    assert "several persons: the first of them had the key first" in told(verdict)


def test_many_statements_of_a_thief_hide_no_person(theft: DisputeFolder) -> None:
    """More documents than a verdict holds, logged before the owner binds the key by a card."""
    key = key_of("acme")
    for _ in range(2 * MOST_PERSONS):
        document = KeyBinding(key.public.fingerprint(), "Mallory", document=bytes(32))
        in_case(theft, theft.log.add(document, key, 26))
    in_commitment(theft, bind(theft))
    found = row(theft.settle())
    assert found.person is not None
    assert (found.person.person, found.persons.index(found.person)) == (ACME, MOST_PERSONS - 1)
    assert len(found.persons) == MOST_PERSONS


def test_nobody_speaks_for_anothers_key(theft: DisputeFolder) -> None:
    """Doe's statements stand in the case, in Acme's file and in the trust, and are Doe's."""
    one = bind(theft, "Mallory", days=20, party="doe")
    in_commitment(theft, one)
    in_trust(theft, one)
    in_case(theft, one)
    verdict = theft.settle()
    assert row(verdict).persons == ()
    assert [person.person for person in row(verdict, "doe").persons] == ["Mallory"]


@pytest.mark.parametrize("put", [in_commitment, in_trust], ids=["commitment", "trust"])
def test_a_revocation_that_the_case_does_not_name_is_told_and_weighs_nothing(
    theft: DisputeFolder, put: Callable[..., None]
) -> None:
    """A thief cannot end the owner's claim by a file in the commitment; a judge is told of it."""
    key = key_of("acme")
    since = int(moment(200).timestamp())
    lost = KeyRevocation(key.public.fingerprint(), since, RevocationReason.LOST)
    put(theft, theft.log.add(lost, key, 100))
    found = row(verdict := theft.settle())
    assert (found.revoked, found.revoked_since) == ("lost", since)
    assert "the key is revoked (lost) since" in told(verdict)
    assert any("name it under statements" in one for one in verdict.not_checked)
    in_case(theft, SmallLog().add(lost, key, 100))
    verdict = theft.settle()
    assert verdict.outcome == DisputeOutcome.NOT_SUPPORTED
    assert not any("name it under statements" in one for one in verdict.not_checked)


def test_a_signed_verdict_cannot_be_given_another_person(theft: DisputeFolder) -> None:
    in_commitment(theft, bind(theft))
    key, public = theft.judge.key.signing, theft.judge.public
    data = theft.settle().signed_by(key, public)
    forged = data.replace(ACME.encode(), b"Mallory ")
    assert DisputeVerdict.from_unverified(forged).found.parties[0].keys[0].persons
    with pytest.raises(InvalidSignature) as caught:
        DisputeVerdict.from_bytes(forged, public)
    assert caught.value.check == "dispute.signature"
