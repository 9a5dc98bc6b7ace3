"""inspect: what every kind of file says without a secret."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import onnx
import pytest

from tests.support.case_files import Command, Files
from tests.support.http_services import serving

KINDS = {
    "commitment": "commitment",
    "challenge": "challenge",
    "proof": "proof",
    "public": "judge-public",
    "vault": "vault",
    "judge": "judge-key",
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_every_kind(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.delenv("ZKWM_PASSPHRASE")
    path = getattr(case, name)
    text = zkwm("inspect", path)
    assert text.code == 0
    assert text.stdout.startswith(f"zkwm {kind}, ")
    assert text.stdout.splitlines()[-1].startswith("to check: ")
    result = zkwm("inspect", path, "--json")
    assert set(result.json) == {
        "schema", "kind", "sha256", "bytes", "fields", "checks", "problem", "advice",
    }  # fmt: skip
    assert result.json["schema"] == "zkwm/inspect/v1"
    assert result.json["kind"] == kind
    assert result.json["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert set(result.json["checks"].values()) <= {"verified", "not checked"}


def test_text_has_no_json(zkwm: Command, case: Files) -> None:
    shown = zkwm("inspect", case.challenge)
    assert not {"{", "[", "null", "false"} & set(shown.stdout.replace("{", "{ ").split())
    assert "shape 1, 16, 16" in shown.stdout
    assert re.search(r"  issued +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n", shown.stdout)
    rows = zkwm("inspect", case.commitment).stdout
    assert "  class names             none\n" in rows


def test_a_text_inside_of_a_field_does_not_pass_for_another_field(
    zkwm: Command, case: Files
) -> None:
    """Whoever describes a model writes no second digest beside the real one."""
    named = case.challenge.parent / "m; digest 00.onnx"
    named.write_bytes(case.model.read_bytes())
    made = case.challenge.parent / "named.challenge"
    options = ["--output" if one == "-o" else one for one in case.challenge_options()]
    assert zkwm(*_but(_but(options, "--model", named), "--output", made)).code == 0
    row = next(
        one for one in zkwm("inspect", made).stdout.splitlines() if one.startswith("  suspect ")
    )
    assert 'description "m; digest 00.onnx"' in row
    assert row.replace('"m; digest 00.onnx"', "").count("digest ") == 1


def _but(options: list[object], name: str, value: object) -> list[object]:
    """The same options with another value of one."""
    at = options.index(name) + 1
    return [*options[:at], value, *options[at + 1 :]]


def test_fields_of_a_challenge(zkwm: Command, case: Files) -> None:
    fields = zkwm("inspect", case.challenge, "--json").json["fields"]
    assert fields["judge"] == case.judge_fingerprint
    assert fields["purpose"] == "Acme v. Doe"
    assert fields["suspect"]["digest"] == hashlib.sha256(case.model.read_bytes()).hexdigest()


@pytest.mark.parametrize("by_template", [True, False])
def test_a_challenge_of_an_endpoint_with_an_account(
    zkwm: Command, case: Files, by_template: bool
) -> None:
    """The account by the names of its headers, the template by its digest; no value, no salt."""
    headers, template = case.folder / "headers", case.folder / "template.json"
    headers.write_text("Authorization: Bearer s3cret\nX-Tenant: acme-27\n")
    request = {"pixels": "{{pixels}}"}
    reply = {"scores": "/scores"}
    template.write_text(
        json.dumps({"schema": "zkwm/template/v1", "request": request, "reply": reply})
    )
    chosen = {"adapter": "template", "template": template} if by_template else {}
    with serving(lambda _, body: {"scores": [body[k] for k in range(-20, -10)]}) as service:
        options = case.challenge_options(model=service.url, header_file=headers, **chosen)
        made = zkwm(*options, "--json")
    assert made.code == 0, made.stderr
    shown = zkwm("inspect", case.folder / "new.challenge", "--json")
    assert shown.code == 0, shown.stderr
    suspect = shown.json["fields"]["suspect"]
    assert suspect == {**made.json["suspect"], "shape": [1, 16, 16]}
    assert suspect["account"] == ["authorization", "x-tenant"]
    assert (suspect["template"] is not None) == by_template
    text = zkwm("inspect", case.folder / "new.challenge")
    assert text.code == 0, text.stderr
    assert "x-tenant" in text.stdout
    for output in (text.stdout, shown.stdout):
        assert "s3cret" not in output
        assert "acme-27" not in output


def test_a_date_that_nobody_states_is_not_checked(zkwm: Command, case: Files) -> None:
    shown = zkwm("inspect", case.commitment, "--json").json
    assert shown["fields"]["timestamp_authority"] is None
    assert shown["checks"]["commitment.timestamp"] == "not checked"
    assert shown["checks"]["commitment.class_names"] == "verified"
    assert (shown["fields"]["leaves"], shown["fields"]["class_names"]) == ("images", None)


def test_no_secret_is_shown(zkwm: Command, case: Files) -> None:
    for name in ("vault", "judge", "proof"):
        result = zkwm("inspect", getattr(case, name), "--json")
        assert len(result.stdout) < 2000


def test_a_signature_that_does_not_verify(zkwm: Command, case: Files) -> None:
    data = bytearray(case.challenge.read_bytes())
    data[-1] ^= 1
    case.challenge.write_bytes(data)
    result = zkwm("inspect", case.challenge, "--json")
    assert result.code == 3
    assert result.stdout.count('"schema"') == 1
    assert '"challenge.signature": "failed"' in result.stdout
    assert "[challenge.signature]" in result.stderr


def test_from_stdin(process: Command, case: Files) -> None:
    result = process("inspect", "-", input=case.commitment.read_bytes())
    assert result.code == 0
    assert result.stdout.startswith("zkwm commitment, ")


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"zkwm-", b"zkwm-secret/1\n\xf6", b"\x00" * 100, b"zkwm-proof/1\n"]
)
def test_other_files(zkwm: Command, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    result = zkwm("inspect", path)
    assert (result.code, result.stdout) == (3, "")
    assert str(path) in result.stderr
    assert "zkwm: hint: " in result.stderr


def test_missing_file(zkwm: Command, tmp_path: Path) -> None:
    result = zkwm("inspect", tmp_path / "none")
    assert result.code == 3
    assert str(tmp_path / "none") in result.stderr


def test_an_onnx_file_has_the_digest_of_its_challenge(
    zkwm: Command, case: Files, tmp_path: Path
) -> None:
    suspect = zkwm("inspect", case.challenge, "--json").json["fields"]["suspect"]
    result = zkwm("inspect", case.model, "--json")
    assert result.code == 0
    assert (result.json["kind"], result.json["fields"]["digest"]) == ("onnx", suspect["digest"])
    whole = onnx.load(case.model)
    path = tmp_path / "apart.onnx"
    onnx.save(whole, path, save_as_external_data=True, location="apart.data", size_threshold=0)
    apart = zkwm("inspect", path, "--json").json
    assert apart["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    made = zkwm(*case.challenge_options(model=path), "--json")
    assert apart["fields"]["digest"] == made.json["suspect"]["digest"] != apart["sha256"]
    assert zkwm("inspect", path).stdout.startswith("onnx, ")
    (tmp_path / "apart.data").unlink()
    assert zkwm("inspect", path).code == 3


def test_weights_have_the_digest_of_their_challenge(
    zkwm: Command, case: Files, tmp_path: Path
) -> None:
    """What a report names can be computed again without the judge's key (SPEC.md 4.3)."""
    from zkwm.nn.architectures import build_model
    from zkwm.nn.model_file import save_classifier

    statistics = {"mean": [0.5], "std": [0.25]}
    model = build_model("lenet5", shape=(1, 16, 16), class_count=10, seed=1, **statistics)
    save_classifier(tmp_path, model)
    made = zkwm(*case.challenge_options(model=tmp_path), "--json")
    assert made.code == 0, made.stderr
    for name in (tmp_path, tmp_path / "model.safetensors"):
        fields = zkwm("inspect", name, "--json").json["fields"]
        assert fields["digest"] == made.json["suspect"]["digest"]
        assert (fields["architecture"], fields["classes"]) == ("lenet5", 10)
    (tmp_path / "config.json").unlink()
    assert zkwm("inspect", tmp_path).code == 3
