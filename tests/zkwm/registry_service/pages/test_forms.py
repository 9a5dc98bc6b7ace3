"""Files and checkpoints that a visitor gives: read strictly, compared, and never believed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

import pytest

from tests.support.filled_registry import (
    ATTACK,
    FilledRegistry,
    other_tree,
    shop_commitment,
)
from tests.support.html_page import VOID, Page
from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import proof_of, signed
from tests.zkwm.registry_service.pages.conftest import Get, form
from zkwm.registry_service.pages.case_pages import signed_verdict
from zkwm.registry_service.pages.log_page import compare
from zkwm.registry_service.pages.page_frame import (
    READINGS_AT_ONCE,
    Pages,
    PagesSettings,
)
from zkwm.registry_service.pages.uploads import UPLOAD_LIMIT, Upload
from zkwm.registry_service.pages.visitors import BusyError, Visitors
from zkwm_protocols.cose.logged_statement import LoggedStatement


def upload(get: Get, content: bytes, name: str = "a.file", status: int = 200) -> str:
    VOID.update({"link", "input", "wbr"})
    body, kind = form(content, name)
    answer = get("/verify", body, Content_Type=kind)
    assert answer.status == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    page = Page(answer.text)
    assert sum(element == "script" for element, _ in page.elements) <= 1
    return page.text


def test_a_commitment_is_read_and_found(get: Get, registry: FilledRegistry) -> None:
    data = registry.commitments[registry.digest].commitment.to_bytes()
    text = upload(get, data, "acme.commitment")
    assert "A commitment" in text
    assert text.count("Verified:") == 4
    assert "Verified: It is entry 1 of the log log.example/1" in text
    assert "Commitment: its file is kept here" in text
    assert ATTACK in text  # a class name


def test_an_altered_commitment_fails_by_name(get: Get, registry: FilledRegistry) -> None:
    whole = registry.commitments[registry.digest].commitment
    altered = replace(whole, leaves=(bytes(32), *whole.leaves[1:]))
    assert "Failed: The leaves hash to the root" in upload(get, altered.to_bytes())
    unsigned = replace(whole, signatures=(bytes(64),))
    assert "Failed: The owner's keys signed it" in upload(get, unsigned.to_bytes())
    [logged] = whole.log_proofs
    moved = replace(logged, proof=replace(logged.proof, index=2))
    proofless = replace(whole, log_proofs=(moved,))
    assert "Failed: It is entry 2 of the log" in upload(get, proofless.to_bytes())
    renamed = replace(whole, class_names=tuple("abcdefghij"))
    assert "Failed: The class names are those of the header" in upload(get, renamed.to_bytes())


def test_a_commitment_from_elsewhere_is_not_registered(get: Get) -> None:
    text = upload(get, shop_commitment().to_bytes())
    assert "Nothing with its digests is registered here" in text


def test_a_verdict_is_read_with_its_limits(get: Get, registry: FilledRegistry) -> None:
    signed_verdict.cache_clear()
    held = signed_verdict.cache_info().currsize
    text = upload(get, registry.verdict_file, "case.verdict")
    assert "A verdict: proven" in text
    assert "Not checked: Whose key that is" in text
    assert "Verdict: signed by a judge" in text
    assert signed_verdict.cache_info().currsize == held, "a visitor's file is not kept"
    altered = registry.verdict_file[:-3] + bytes(3)
    assert "does not verify" in upload(get, altered, status=422)
    assert text.count("Verdict: signed by a judge") == 1, "by whichever of its names"
    assert "Verified: It is a judge whom this registry trusts" in text


def test_a_proof_is_no_verdict(get: Get, registry: FilledRegistry) -> None:
    challenge = registry.challenges[1]
    answer = registry.owner.answer(challenge, [1])
    text = upload(get, answer.to_bytes(), "case.proof")
    assert "Not checked: What it shows" in text
    assert "Claim: asked" in text


def test_a_proof_of_the_log_is_verified(get: Get, registry: FilledRegistry) -> None:
    logged = LoggedStatement(registry.entries[1].statement, proof_of(registry.log, 1))
    assert "Verified: It stands in a tree of this log" in upload(get, logged.to_bytes())
    elsewhere = LoggedStatement(registry.entries[1].statement, proof_of(registry.log, 2))
    assert "Failed: It stands in a tree of this log" in upload(get, elsewhere.to_bytes())


def test_a_checkpoint_is_compared(get: Get, registry: FilledRegistry) -> None:
    assert "Verified: It fits" in upload(get, registry.kept_checkpoint.to_bytes())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no commitment, proof"),
        (b"\x00\x01model", "no commitment, proof"),
        (b"zkwm-vault/2\n\x00", "no commitment, proof"),
        (b"zkwm-commitment/1\n\x00", "version"),
        (b"zkwm-commitment/2\n\xff\xff", "It cannot be read"),
        (b"zkwm-proof/1\n\x80", "It cannot be read"),
        (b"c2sp.org/tlog-proof@v1\nnothing", "It cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told(get: Get, content: bytes, says: str) -> None:
    assert says in upload(get, content, status=422)


def test_the_name_of_a_file_is_text(get: Get) -> None:
    name = "<img src=x onerror=alert(1)>.verdict"
    assert name in upload(get, b"nothing", name, status=422)


def test_a_large_upload_is_refused_before_it_is_read(get: Get) -> None:
    body, kind = form(bytes(UPLOAD_LIMIT + 2**14))
    assert get("/verify", body, Content_Type=kind).status == 413


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"file=x", "application/x-www-form-urlencoded"),
        (b"--X\r\nno end", "multipart/form-data; boundary=X"),
        (
            b"--X\r\n\r\nno name\r\n--X\r\n\r\nand another\r\n--X--",
            "multipart/form-data; boundary=X",
        ),
        (
            b"--X\r\nContent-Disposition: form-data\r\n\r\n\r\n--X--",
            "multipart/form-data; boundary=X",
        ),
        (b"", "multipart/form-data"),
    ],
)
def test_another_form_is_refused(get: Get, body: bytes, kind: str) -> None:
    assert get("/verify", body, Content_Type=kind).status == 400


def test_only_so_many_uploads_are_read_at_once(registry: FilledRegistry) -> None:
    busy = Pages(registry, PagesSettings())
    with ExitStack() as stack:
        for _ in range(READINGS_AT_ONCE):
            stack.enter_context(busy.reading())
        with pytest.raises(BusyError), busy.reading():
            pass
    with busy.reading():
        assert busy.read(Upload("x", b"x"))["problem"]


def test_checkpoints_take_turns_with_uploads(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a bound, texts that trickle in would take all the memory there is for bodies."""

    @contextmanager
    def busy(_: Visitors, __: str) -> Iterator[None]:
        raise BusyError("too many files are being sent now")
        yield

    monkeypatch.setattr(Visitors, "sending", busy)
    form_type = "application/x-www-form-urlencoded"
    assert get("/log/compare", b"checkpoint=x", Content_Type=form_type).status == 503


def test_a_large_file_is_read(get: Get) -> None:
    body, kind = form(b"zkwm-commitment/2\n" + bytes(2**22))
    assert get("/verify", body, Content_Type=kind).status == 422


def test_a_body_that_does_not_come_is_given_up(
    get: Get, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zkwm.registry_service.pages.uploads.UPLOAD_SECONDS", 0.2)
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as slow:
        head = "POST /verify HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n"
        slow.sendall(f"{head}content-type: multipart/form-data; boundary=X\r\n\r\n--X".encode())
        assert slow.recv(12) == b"HTTP/1.1 408"


def test_checkpoints_that_fit_and_that_do_not(get: Get, registry: FilledRegistry) -> None:
    kept = registry.kept_checkpoint.to_bytes().decode()
    cases = {
        "The tree of today, of 10 entries, begins with your tree of 4": kept,
        "It is the tree that the log shows today": signed(registry.log).to_bytes().decode(),
        "It does not fit: two trees": other_tree().to_bytes().decode(),
        "It is of a larger tree": signed(TiledLog([b"x"] * 11)).to_bytes().decode(),
        "It is not this log's": kept.replace("log.example/1", "log.example/2"),
        "A signature on it does not verify": kept.replace("\n4\n", "\n5\n"),
        "This is no checkpoint": ATTACK,
    }
    for title, text in cases.items():
        found = compare(registry, text)
        assert title in f"{found.title} {found.says}", title
        assert compare(registry, text.replace("\n", "\r\n")) == found  # as browsers send it
    body = urlencode({"checkpoint": other_tree().to_bytes().decode()}).encode()
    answer = get("/log/compare", body, Content_Type="application/x-www-form-urlencoded")
    assert "Your checkpoint is evidence against this log" in answer.text
    assert answer.headers["cache-control"] == "no-store"
