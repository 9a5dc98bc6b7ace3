"""What the pages say, which headers they have, and that nothing of a stranger's becomes HTML."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import get_args

import pytest

from tests.support.filled_registry import (
    ADDRESS,
    ATTACK,
    OTHER,
    OWNER,
    STRANGER,
    FilledRegistry,
)
from tests.support.html_page import VOID, Page
from tests.support.witnessed_log import TIME
from tests.zkwm.registry_service.pages.conftest import Get, form
from zkwm.registry_service.pages.badge import commitment_badge, verdict_badge
from zkwm.registry_service.pages.commitment_page import key_values
from zkwm.registry_service.pages.history import history
from zkwm.registry_service.pages.key_standing import key_end
from zkwm.registry_service.pages.view import LoggedEntry
from zkwm.registry_service.pages.witnesses import Signer
from zkwm_protocols.cose.key_contents import (
    KeyBinding,
    KeyRevocation,
    RevocationReason,
    agree_to_succeed,
)
from zkwm_protocols.cose.statement import Content, sign_statement
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.keys import ED25519, SigningKey

NAMES = [
    "start", "search", "nothing found", "commitment", "commitment without file", "owner's key",
    "revoked key", "model", "claim answered", "claim withdrawn", "claim overdue", "claim asked",
    "claim decided", "verdict", "log", "verify", "error",
]  # fmt: skip
ELEMENTS = {
    "html", "head", "meta", "title", "link", "script", "body", "a", "svg", "symbol", "path", "use",
    "header", "nav", "ul", "ol", "li", "main", "footer", "p", "h1", "h2", "h3", "section", "form",
    "label", "input", "button", "textarea", "dl", "div", "dt", "dd", "strong", "span", "code", "br",
    "wbr", "bdi", "time", "details", "summary", "img", "pre", "small",
}  # fmt: skip


def read(get: Get, path: str, status: int = 200) -> Page:
    VOID.update({"link", "input", "wbr"})
    answer = get(path)
    assert answer.status == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.text)


@pytest.mark.parametrize("name", NAMES)
def test_no_foreign_text_becomes_an_element(get: Get, registry: FilledRegistry, name: str) -> None:
    page = read(get, registry.paths[name], 404 if name == "error" else 200)
    assert {element for element, _ in page.elements} <= ELEMENTS
    for element, attributes in page.elements:
        assert not {one for one in attributes if one.startswith("on") or one == "style"}, element
        for link in ("src", "href"):
            assert (attributes.get(link) or "/").startswith(("/", "#")), attributes
        if element == "script":
            assert name == "verify"
            assert (attributes["src"] or "").startswith("/static/")


@pytest.mark.parametrize("name", NAMES)
def test_headers_of_a_page(get: Get, registry: FilledRegistry, name: str) -> None:
    headers = get(registry.paths[name]).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    assert ("script-src 'self'" in policy) is (name == "verify")
    for rule in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert rule in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("no-store" if name == "error" else "no-cache")
    assert "set-cookie" not in headers


def test_attacks_are_shown_as_text(get: Get, registry: FilledRegistry) -> None:
    paths = registry.paths
    for name in ("commitment", "owner's key", "claim asked", "claim withdrawn", "verdict"):
        assert ATTACK in read(get, paths[name]).text, name
    assert "Acme[U+202E]Corp [U+200B] Ltd." in read(get, paths["claim asked"]).text
    assert ATTACK in read(get, paths["nothing found"]).text


def test_a_commitment_tells_key_times_and_witnesses(get: Get, registry: FilledRegistry) -> None:
    text = read(get, registry.paths["commitment"]).text
    assert "Registered" in text
    assert OWNER.public.fingerprint() in text
    assert "as the token says, not checked" in text
    assert text.count("signature verified") == 3
    assert "three.example (Ed25519) had seen a tree of 4 with it" in text
    assert "Named by a stranger" in text
    assert "A key of this commitment was replaced" in text
    assert f"{ADDRESS}” as the issuer says, not checked" in text
    assert "as the key's holder says, not checked" in text
    for state in ("Answered", "Withdrawn", "Overdue", "Asked", "Decided: proven"):
        assert f"{state}, asked" in text


def test_a_witness_of_two_keys_is_one(
    get: Get, registry: FilledRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start page and the log's page count the same."""
    signer = Signer("w.example", "Ed25519", "w.example+00+AA", True, "signed", TIME, 1)
    keys = [signer, replace(signer, algorithm="ML-DSA-44")]
    for module in ("log_page", "routes"):
        monkeypatch.setattr(f"zkwm.registry_service.pages.{module}.signers", lambda *_: keys)
    for name in ("start", "log"):
        text = " ".join(read(get, registry.paths[name]).text.split())
        assert re.search(r"\bwitnesses\s*1\b", text), text


def test_a_stranger_registers_nothing(get: Get, registry: FilledRegistry) -> None:
    """Entry 0 is a stranger's statement about the owner's commitment, entry 1 the owner's."""
    assert "Entry 1 of log.example/1" in read(get, registry.paths["commitment"]).text
    alone = replace_entries(registry, [registry.entries[0]])
    assert commitment_badge(alone, registry.digest).says == "not registered"


def test_a_commitment_without_its_file_names_no_owner(get: Get, registry: FilledRegistry) -> None:
    text = read(get, registry.paths["commitment without file"]).text
    assert "this service does not know the owner's keys" in text
    assert "whether it is the owner's, only the commitment's file shows" in text
    assert "an owner's key" not in text


def test_a_verdict_begins_with_its_outcome_and_limits(get: Get, registry: FilledRegistry) -> None:
    text = read(get, registry.paths["verdict"]).text
    assert text.index("Proven") < text.index("It does not say") < text.index("In plain words")
    assert "UNKNOWN whether the commitment is older than the model" in text
    assert registry.judge.public.fingerprint() in text
    assert "entry 4, by the judge's own key" in text
    assert "this and the fingerprint above are of one judge" in text  # two fingerprints, one judge
    sha256 = hashlib.sha256(registry.verdict_file).hexdigest()
    assert "Proven" in read(get, f"/verdicts/{sha256}").text


def test_the_report_of_a_verdict_shows_no_trigger(get: Get, registry: FilledRegistry) -> None:
    answer = get(f"{registry.paths['verdict']}/report")
    assert answer.status == 200
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert b"data:image" not in answer.content
    assert b"<script>" not in answer.content
    file = get(f"{registry.paths['verdict']}/file")
    assert file.content == registry.verdict_file
    assert file.headers["content-disposition"].startswith("attachment; filename=")


def test_a_badge_says_what_is_shown_and_no_more(get: Get, registry: FilledRegistry) -> None:
    answer = get(f"{registry.paths['commitment']}/badge.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert ">registered</text>" in answer.text
    assert 'role="img" aria-label="zkwm: registered"' in answer.text
    assert "This proves no claim on any model" in answer.text
    assert ">verdict: proven</text>" in get(f"{registry.paths['verdict']}/badge.svg").text
    missing = get(f"{registry.paths['error']}/badge.svg")
    assert missing.status == 404
    assert ">not registered</text>" in missing.text


def replace_entries(registry: FilledRegistry, entries: list[LoggedEntry]) -> FilledRegistry:
    """The same registry with other statements about keys and commitments."""
    other = object.__new__(FilledRegistry)
    other.__dict__.update(registry.__dict__)
    other.entries = entries
    return other


def test_badges_are_taken_back(registry: FilledRegistry) -> None:
    own = OWNER.public.fingerprint()
    revocation = sign_statement(KeyRevocation(own, TIME, RevocationReason.COMPROMISED), OWNER)
    late = LoggedEntry(10, revocation)
    without_rotation = [one for one in registry.entries if one.index != 7]
    revoked = replace_entries(registry, [*without_rotation, late])
    assert commitment_badge(revoked, registry.digest).says == "registered, key revoked"
    successor = agree_to_succeed(own, SigningKey.from_bytes(ED25519, bytes([45] * 32)))
    contested = [*registry.entries, LoggedEntry(10, sign_statement(successor, OWNER))]
    two = replace_entries(registry, contested)
    assert commitment_badge(two, registry.digest).says == "registered, key contested"
    judge = registry.judge.key.signing
    end = KeyRevocation(judge.public.fingerprint(), TIME, RevocationReason.LOST)
    untrusted = replace_entries(registry, [LoggedEntry(10, sign_statement(end, judge))])
    challenge = registry.challenges[0].digest
    assert verdict_badge(untrusted, challenge).says == "verdict: judge's key revoked"
    withdrawn = replace_entries(registry, registry.entries)
    withdrawn.claim_list = [replace(registry.claim_list[-1], state="withdrawn", withdrawn=TIME)]
    assert verdict_badge(withdrawn, challenge).says == "verdict: claim withdrawn"


def test_no_badge_rests_on_a_strangers_word(registry: FilledRegistry) -> None:
    """A commitment whose file is not here may have any owner, and anybody can be a judge."""
    unknown = commitment_badge(registry, bytes([9] * 32))
    assert (unknown.says, unknown.tone) == ("owner not known", "plain")
    removed = replace_entries(registry, registry.entries)
    removed.trusted = False
    badge = verdict_badge(removed, registry.challenges[0].digest)
    assert (badge.says, badge.tone) == ("verdict: judge not trusted here", "bad")


def test_a_page_says_whose_word_does_not_count(get: Get, registry: FilledRegistry) -> None:
    text = read(get, registry.paths["commitment without file"]).text
    assert "In the log, owner not known" in text
    registry.trusted = False
    try:
        assert "does not trust this judge" in read(get, registry.paths["verdict"]).text
    finally:
        registry.trusted = True
    assert "does not trust this judge" not in read(get, registry.paths["verdict"]).text


def test_a_revocation_of_the_future_ends_no_key(registry: FilledRegistry) -> None:
    own = OTHER.public.fingerprint()
    later = KeyRevocation(own, 4_000_000_000, RevocationReason.SUPERSEDED)
    entries = [LoggedEntry(10, sign_statement(later, OTHER))]
    assert key_end(replace_entries(registry, entries), own) is None
    assert key_end(registry, STRANGER.public.fingerprint()).word == "revoked"


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("{digest}", ["Commitment"]),
        ("sha256:{upper}", ["Commitment"]),
        ("urn:zkwm:commitment:{digest}", ["Commitment"]),
        ("{model}", ["Model"]),
        ("{claim}", ["Claim", "Verdict"]),
        ("{file}", ["Verdict"]),
        ("{statement}", ["Statement"]),
        ("{key}", ["Key"]),
        ("{spelled}", ["Key"]),
        ("{judge}", ["Key"]),
        (ADDRESS, ["Commitment registered"]),
        ("ab" * 32, []),
        ("<i>", []),
    ],
)
def test_search(get: Get, registry: FilledRegistry, query: str, kinds: list[str]) -> None:
    key = OWNER.public.fingerprint()
    text = query.format(
        digest=registry.digest.hex(), upper=registry.digest.hex().upper(),
        model=registry.challenges[0].suspect.digest.hex(),
        claim=registry.challenges[0].digest.hex(),
        file=hashlib.sha256(registry.verdict_file).hexdigest(),
        statement=hashlib.sha256(registry.entries[3].statement.to_bytes()).hexdigest(),
        key=key, spelled=key.upper().replace("-", " "), judge=registry.judge.public.fingerprint(),
    )  # fmt: skip
    found = read(get, f"/search?q={text.replace(' ', '%20')}")
    shown = found.text
    assert ("Found" in shown) is bool(kinds)
    assert ("Nothing found" in shown) is not bool(kinds)
    for kind in kinds:
        assert f"{kind}:" in shown


def test_caches_may_ask_again(get: Get, registry: FilledRegistry) -> None:
    first = get(registry.paths["log"])
    again = get(registry.paths["log"], If_None_Match=first.headers["etag"])
    assert (again.status, again.content) == (304, b"")
    assert get(registry.paths["log"], method="HEAD").status == 200


def test_static_files_never_change_under_their_path(get: Get) -> None:
    [style] = re.findall(r'href="(/static/[^"]+\.css)"', get("/").text)
    answer = get(style)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert get(style.replace(style.split("/")[2], "0" * 16)).status == 404
    assert get("/static/0/..%2Fstart.html.j2").status == 404


@pytest.mark.parametrize("path", ["/commitments/AB", "/keys/x", "/verdicts/" + "AB" * 32])
def test_an_address_of_nothing_is_a_page(get: Get, path: str) -> None:
    page = read(get, path, 404)
    assert "Error 404" in page.text


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_errors_elsewhere_are_pages_for_browsers_alone(get: Get) -> None:
    shown = get("/v1/nothing", Accept=BROWSER)
    assert (shown.status, shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Error 404" in Page(shown.text).text
    assert "There is no page with this address" in Page(shown.text).text
    for program in ("application/json", "*/*", "", "application/problem+json, text/html"):
        told = get("/v1/nothing", Accept=program)
        assert (told.status, told.headers["content-type"]) == (404, "application/problem+json")


def test_a_log_that_takes_nothing_says_so(get: Get, registry: FilledRegistry) -> None:
    registry.problem = f"its disk failed {ATTACK}"
    try:
        for name in ("start", "log"):
            assert (
                f"takes no entries now: its disk failed {ATTACK}"
                in read(get, registry.paths[name]).text
            )
    finally:
        registry.problem = ""


def test_what_the_operator_has_to_see_to_is_not_told_to_strangers(
    get: Get, registry: FilledRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unusable(_: object) -> None:
        raise CouldNotCheck("cannot read /srv/registry/log: no such file")

    monkeypatch.setattr(FilledRegistry, "log_state", unusable)
    answer = get("/log")
    assert answer.status == 503
    assert "/srv" not in answer.text
    body, kind = form(registry.kept_checkpoint.to_bytes())
    told = get("/verify", body, Content_Type=kind)
    assert told.status == 503
    assert "/srv" not in told.text


def test_a_binding_after_the_end_of_a_key_does_not_count(registry: FilledRegistry) -> None:
    """A thief who has the key binds it to themselves."""
    own = OWNER.public.fingerprint()
    thief = sign_statement(KeyBinding(own, "Mallory", (), bytes(32)), OWNER)
    later = replace_entries(registry, [*registry.entries, LoggedEntry(10, thief)])
    values = key_values(later, own)
    assert values is not None
    claimed = {row.claim[:7]: row.void for row in values["about"] if row.claim}
    assert claimed == {"Ada <sc": False, "Mallory": True}


def test_statements_of_every_kind_have_words(registry: FilledRegistry) -> None:
    shown = {type(one.statement.content) for one in registry.entries}
    assert shown == set(get_args(Content))
    assert len(history(registry, registry.entries)) == len(registry.entries)
