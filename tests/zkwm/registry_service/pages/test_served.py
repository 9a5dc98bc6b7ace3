"""The pages of a running registry: what is registered by the API is there for people to read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.support.dispute import Claimant, marked, new_judge, random_images
from tests.support.html_page import VOID, Page
from tests.support.registry_server import Served, registration, served_registry, verdict
from tests.zkwm.registry_service.pages.test_pages import BROWSER
from zkwm.registry_database.location import find_location

pytestmark = pytest.mark.usefixtures("quick_labels")
JUDGE = new_judge()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path: Path = tmp_path_factory.mktemp("served")
    with served_registry(path / "log", find_location(path / "r.sqlite"), (JUDGE,)) as running:
        yield running


def browse(registry: Served, path: str, status: int = 200) -> str:
    VOID.update({"link", "input", "wbr"})
    answer = urllib3.request("GET", registry.url + path, headers={"accept": BROWSER})
    assert answer.status == status, answer.data
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.data.decode()).text


def test_from_registration_to_verdict(registry: Served) -> None:
    owner, market = Claimant(random_images(100)), registry.caller("market.example")
    name, suspect = owner.commitment.digest.hex(), marked(owner.images, owner.labels)
    assert "Error 404" in browse(registry, f"/commitments/{name}", 404)
    assert market.post("/v1/commitments", registration(owner)).status == 201
    assert "Registered" in browse(registry, f"/commitments/{name}")
    assert name in browse(registry, f"/search?q={name[:64]}")
    challenge = JUDGE.challenge(owner.commitment, suspect, reveal=50)
    claim = challenge.digest.hex()
    assert market.post("/v1/claims", challenge.to_bytes()).status == 201
    assert "Answer awaited" in browse(registry, f"/claims/{claim}")
    answer = owner.answer(challenge, [0])
    market.post(f"/v1/claims/{claim}/answer", answer.to_bytes())
    file = JUDGE.sign_verdict(JUDGE.verify(owner.commitment, suspect, challenge, answer))
    handed_in = verdict(JUDGE, owner, file, hashlib.sha256(file).digest())
    assert market.post(f"/v1/claims/{claim}/verdict", handed_in).status in (200, 201)
    text = browse(registry, f"/verdicts/{claim}")
    assert "Proven" in text
    assert "by the judge's own key" in text
    assert "Decided: proven" in browse(registry, f"/claims/{claim}")
    assert "Verdict" in browse(registry, f"/commitments/{name}")
    assert "log.example/1" in browse(registry, "/log")
    assert "Newest entries" in browse(registry, "/")


def test_errors_of_the_api_are_pages_in_a_browser(registry: Served) -> None:
    for path, status in (
        (f"/v1/commitments/{'ab' * 32}", 404),
        ("/v1/commitments/AB", 422),
        ("/nothing", 404),
    ):
        assert f"Error {status}" in browse(registry, path, status)
    told = registry.caller().get("/nothing")  # checks that it is problem details
    assert told.status == 404


def test_the_description_names_no_page(registry: Served) -> None:
    paths = registry.caller().get("/openapi.json").json["paths"]
    assert all(path.startswith("/v1/") for path in paths)
