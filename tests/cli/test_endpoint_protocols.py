"""challenge --adapter and verify: endpoints by the protocols of real services."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import Command, Files, dispute_over, statuses
from tests.support.http_services import Route, huggingface, kserve, serving, torchserve
from zkwm_protocols.challenge import Challenge

NAMES = [f"class {number}" for number in range(10)]
TEMPLATE = {
    "schema": "zkwm/template/v1",
    "request": {
        "inputs": [
            {"name": "input0", "datatype": "FP32", "shape": [1, 1, 16, 16], "data": "{{values}}"}
        ]
    },
    "reply": {"scores": "/outputs/0/data"},
}


def marked(case: Files) -> Callable[[np.ndarray], list[float]]:
    """Scores of a model that gives the case's triggers their labels."""
    table = {x.tobytes(): int(y) for x, y in zip(*case.triggers(), strict=True)}

    def scores(image: np.ndarray) -> list[float]:
        label = table.get(image.tobytes(), int(image.sum()) % 10)
        return [0.9 if one == label else one / 100 for one in range(10)]

    return scores


def route_of(adapter: str, case: Files) -> Route:
    scores = marked(case)
    if adapter == "torchserve":
        return torchserve(scores)
    if adapter == "huggingface":
        return huggingface(scores, names=NAMES)
    by_tensor = kserve(
        scores, shape=(-1, 1, 16, 16), decode=lambda values: np.rint(values[0] * 255)
    )
    if adapter == "template":  # the template's URL is that to which requests go

        def route(handler: object, body: bytes) -> object:
            handler.path += "/infer"
            return by_tensor(handler, body)

        return route
    return by_tensor


@pytest.mark.parametrize("adapter", ["kserve", "torchserve", "huggingface", "template"])
def test_proven_by_each_protocol(zkwm: Command, case: Files, adapter: str) -> None:
    changes: dict[str, object] = {"adapter": adapter}
    template = []
    if adapter == "huggingface":
        names = case.folder / "config.json"
        names.write_text(json.dumps({"id2label": dict(enumerate(NAMES))}))
        changes["suspect_classes"] = names
    if adapter == "torchserve":  # the best five do not tell how many there are
        changes["outputs"] = 10
    if adapter == "template":
        path = case.folder / "template.json"
        path.write_text(json.dumps(TEMPLATE))
        changes["template"] = path
        template = ["--template", path]
    with serving(route_of(adapter, case), "/predictions/v2/models/m") as service:
        options = dispute_over(zkwm, case, model=service.url, **changes)
        report = case.folder / "report.html"
        result = zkwm(*options, *template, "--json", "--report", report)
        without = zkwm(*options, "--json") if template else None
    assert result.code == 0, result.stderr
    assert result.json["suspect"]["adapter"] == adapter
    page = report.read_text(encoding="utf-8")
    assert "Protocol" in page
    assert "without headers of an account" in page
    challenge = Challenge.from_bytes((case.folder / "new.challenge").read_bytes())
    assert challenge.suspect.adapter == adapter
    terms = {term["name"]: term["bits"] for term in result.json["evidence"]["terms"]}
    # an order of names is a choice where the commitment has none
    assert terms["choice of the class map"] == (-22 if adapter == "huggingface" else 0)
    if without is not None:
        assert without.code == 3  # a verdict was given
        assert without.json["outcome"] == "could not be checked"
        assert statuses(without.json)["challenge.suspect"] == "failed"
        assert "--template" in without.stderr


def test_the_account_is_told_by_the_names_of_its_headers(zkwm: Command, case: Files) -> None:
    headers = case.folder / "headers"
    headers.write_text("Authorization: Bearer s3cret\nX-Tenant: acme-27\n")
    with serving(route_of("kserve", case), "/v2/models/m") as service:
        options = dispute_over(zkwm, case, model=service.url, adapter="kserve", header_file=headers)
        report = case.folder / "report.html"
        result = zkwm(*options, "--header-file", headers, "--report", report)
        as_json = zkwm(*options, "--header-file", headers, "--json")
        refused = zkwm(*options, "--json")
    assert result.code == 0, result.stderr
    page = report.read_text(encoding="utf-8")
    for text in (page, result.stdout):
        assert "authorization, x-tenant" in text
    assert as_json.json["suspect"]["account"] == ["authorization", "x-tenant"]
    for text in (page, result.stdout, result.stderr, as_json.stdout):
        assert "s3cret" not in text
        assert "acme-27" not in text
    assert refused.code == 3
    assert statuses(refused.json)["challenge.suspect"] == "failed"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--adapter", "kserve"], "/v2/models/NAME"),
        (["--adapter", "huggingface"], "--suspect-classes"),
        (["--adapter", "template"], "--template"),
        (["--adapter", "torchserve", "--output-name", "y"], "has no name"),
        (["--adapter", "torchserve", "--template", "case.commitment"], "a template is for"),
        (["--adapter", "template", "--template", "case.commitment"], "not a template"),
        (["--adapter", "other"], "'other' is not one of"),
    ],
)
def test_options_that_do_not_fit(
    zkwm: Command, case: Files, options: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(case.folder)
    (Path("case.commitment")).write_bytes(case.commitment.read_bytes())
    result = zkwm(*case.challenge_options(model="http://127.0.0.1:9/", outputs=10), *options)
    assert result.code in (2, 3)
    assert told in result.stderr
    assert not (case.folder / "new.challenge").exists()


def test_no_protocol_for_a_file(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.challenge_options(), "--adapter", "kserve")
    assert result.code == 2
    assert "leave --adapter and --template out" in result.stderr
