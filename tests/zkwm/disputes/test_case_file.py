"""CASE.yaml: one folder, plain YAML, limits (SPEC 28.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dispute_folder import DisputeFolder
from zkwm.disputes.case_file import read_case
from zkwm.disputes.case_yaml import DEEPEST, MOST_CHARACTERS, MOST_NODES, read_yaml
from zkwm_protocols.errors import CouldNotCheck, Malformed

CASE = """
schema: zkwm/dispute-case/v1
title: Acme v. Doe
parties:
  - {name: acme, commitment: acme.commitment}
models:
  - {name: suspect, file: m.onnx, published_by: doe, published: 2026-03-01, source: a page, contested: true}
claims:
  - {mark: acme, model: suspect, verdict: v.verdict}
"""  # noqa: E501


def read(tmp_path: Path, text: str) -> object:
    path = tmp_path / "CASE.yaml"
    path.write_text(text, encoding="utf-8")
    return read_case(path)


def test_a_case_is_read(tmp_path: Path) -> None:
    case = read(tmp_path, CASE)
    assert case.models[0].published.source == "a page"
    assert case.claims[0].files == {"verdict": tmp_path / "v.verdict"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("zkwm/dispute-case/v1", "zkwm/dispute-case/v2"),
        ("title: Acme v. Doe", "title: Acme v. Doe\nnotes: unknown"),
        ("title: Acme v. Doe", "title: Acme v. Doe\ntitle: twice"),
        ("title: Acme v. Doe", "title: ' '"),
        ("title: Acme v. Doe", f"title: {'a' * 201}"),
        ("title: Acme v. Doe", 'title: "\\u202e"'),
        ("title: Acme v. Doe", "title: !!python/object:os.system {}"),
        ("title: Acme v. Doe", "title: !own text"),
        ("name: acme", "name: Acme"),
        ("name: acme,", "name: acme, key: nonsense,"),
        ("commitment: acme.commitment", "commitment: ../acme.commitment"),
        ("commitment: acme.commitment", "commitment: /etc/passwd"),
        ("commitment: acme.commitment", "commitment: 'a\\b'"),
        ("commitment: acme.commitment", "commitment: ."),
        ("file: m.onnx", "file: m.onnx, endpoint: 'https://a.example'"),
        ("file: m.onnx, ", ""),
        (", source: a page", ""),
        ("2026-03-01", "yesterday"),
        ("contested: true", "contested: yes"),
        (", contested: true", ""),
        ("model: suspect, verdict", "model: another, verdict"),
        ("mark: acme", "mark: doe"),
        ("verdict: v.verdict", "verdict: v.verdict, archive: a.zip"),
        ("verdict: v.verdict", "challenge: a.challenge"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert old in CASE
    with pytest.raises(Malformed, match=r"CASE\.yaml"):
        read(tmp_path, CASE.replace(old, new))


def test_a_mark_is_claimed_once_in_a_model(tmp_path: Path) -> None:
    twice = CASE + "  - {mark: acme, model: suspect, verdict: other.verdict}\n"
    with pytest.raises(Malformed, match="claimed twice"):
        read(tmp_path, twice)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inner = tmp_path / "case"
    inner.mkdir()
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    (inner / "acme.commitment").symlink_to(tmp_path / "secret")
    with pytest.raises(Malformed, match="not in the case's folder"):
        read(inner, CASE)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x",
        "[" * (DEEPEST + 2) + "]" * (DEEPEST + 2),
        "[" + "a," * (MOST_NODES + 1) + "]",
        "a" * (MOST_CHARACTERS + 1),
        "a: [",
        "? [a]\n: b",
        "",
        "--- a\n--- b\n",
    ],
)
def test_yaml_without_limits_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        read_yaml(text.encode())


def test_a_billion_laughs_cost_nothing() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    with pytest.raises(Malformed, match="references"):
        read_yaml("\n".join(lines).encode())


def test_a_case_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CouldNotCheck):
        read_case(tmp_path / "CASE.yaml")


def test_a_text_stays_a_text() -> None:
    assert read_yaml(b"[1, yes, 2026-03-01, 1e3, ~]") == ["1", "yes", "2026-03-01", "1e3", "~"]


def test_the_folder_of_a_case_is_read_whole(folder: DisputeFolder) -> None:
    folder.party("acme", days=30)
    folder.model("suspect", "doe", contested=True)
    folder.claim("acme", "suspect")
    roles = {one.role for one in folder.settle().files}
    assert roles == {"case", "judge-public", "commitment", "model", "verdict"}
