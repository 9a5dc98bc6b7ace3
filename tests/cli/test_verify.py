"""verify: every outcome with its exit code, its streams, its JSON and its report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from case_files import Command, Endpoint, Files, save_lookup, scores

from zkwm.vault import open_judge_key
from zkwm.vault.judge_key import create_judge_key
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.opening import Opening

CHECK_KEYS = {"id", "title", "status", "detail"}


def statuses(verdict: dict[str, object]) -> dict[str, str]:
    checks = verdict["checks"]
    assert isinstance(checks, list)
    assert all(set(check) == CHECK_KEYS for check in checks)
    return {check["id"]: check["status"] for check in checks}


def test_proven(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options())
    assert result.code == 0
    assert result.stdout.startswith("PROVEN: 50 of 50 triggers match: 93.09 bits")
    assert "zkwm: error" not in result.stderr


def test_proven_in_json(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(), "--json")
    assert result.code == 0
    assert result.json["schema"] == "zkwm/verdict/v1"
    assert result.json["outcome"] == "proven"
    assert result.json["matches"] == 50
    assert set(statuses(result.json).values()) == {"passed"}


def _options_for(zkwm: Command, case: Files, **changes: object) -> list[object]:
    """verify's arguments for a new challenge made with ``changes``, and its proof."""
    made = zkwm(*case.challenge_options(**changes))
    assert made.code == 0, made.stderr
    challenge = case.folder / "new.challenge"
    chosen = {name: value for name, value in changes.items() if name in ("model", "commitment")}
    commitment = {k: v for k, v in chosen.items() if k == "commitment"}
    proved = zkwm(*case.prove_options(challenge=challenge, **commitment))
    assert proved.code == 0, proved.stderr
    return case.verify_options(challenge=challenge, proof=case.folder / "new.proof", **chosen)


def test_not_proven(zkwm: Command, case: Files) -> None:
    options = _options_for(zkwm, case, model=case.innocent)
    report = case.folder / "report.html"
    result = zkwm(*options, "--report", report)
    assert result.code == 1
    assert result.stdout.startswith("NOT PROVEN: 0 of 50 triggers match")
    assert "zkwm: error" not in result.stderr
    assert "not proven" in report.read_text(encoding="utf-8").lower()


def test_not_proven_in_json(zkwm: Command, case: Files) -> None:
    result = zkwm(*_options_for(zkwm, case, model=case.innocent), "--json")
    assert result.code == 1
    assert result.json["outcome"] == "not proven"
    assert statuses(result.json)["evidence.threshold"] == "failed"


def test_report(zkwm: Command, case: Files) -> None:
    report = case.folder / "report.html"
    assert zkwm(*case.verify_options(report=report)).code == 0
    page = report.read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert "Acme v. Doe" in page


def test_report_is_not_replaced_without_force(zkwm: Command, case: Files) -> None:
    report = case.folder / "report.html"
    report.write_text("old")
    result = zkwm(*case.verify_options(report=report))
    assert (result.code, result.stdout) == (2, "")
    assert report.read_text() == "old"
    assert zkwm(*case.verify_options(report=report), "--force").code == 0
    assert report.read_text() != "old"


def test_report_is_never_an_input(zkwm: Command, case: Files) -> None:
    for name in (case.judge, case.proof, case.model):
        before = name.read_bytes()
        assert zkwm(*case.verify_options(report=name), "--force").code == 2
        assert name.read_bytes() == before


def test_report_cannot_share_stdout(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(report="-"))
    assert (result.code, result.stdout) == (2, "")
    assert "standard output carries the verdict" in result.stderr


def test_report_when_it_could_not_be_checked(zkwm: Command, case: Files) -> None:
    report = case.folder / "report.html"
    _resign(case, 40, 1)
    result = zkwm(*case.verify_options(report=report))
    assert result.code == 3
    assert "could not be checked" in report.read_text(encoding="utf-8").lower()


def _resign(case: Files, position: int, mask: int) -> None:
    data = bytearray(case.proof.read_bytes())
    data[position] ^= mask
    case.proof.write_bytes(data)


def test_report_on_a_full_disk(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    report = case.folder / "report.html"
    result = zkwm(*case.verify_options(report=report), "--json")
    assert result.code == 3
    assert result.json["outcome"] == "proven"
    assert "No space left on device" in result.stderr
    assert not report.exists()


def test_public_key_name_finds_the_secret_key(zkwm: Command, case: Files) -> None:
    assert zkwm(*case.verify_options(judge=case.public)).code == 0


def test_proof_from_stdin(process: Command, case: Files) -> None:
    result = process(*case.verify_options(proof="-"), input=case.proof.read_bytes())
    assert result.code == 0
    assert result.stdout.startswith("PROVEN")


def _flipped(path: Path, position: int) -> bytes:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    return bytes(data)


@pytest.mark.parametrize("name", ["commitment", "challenge", "proof"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.read_bytes()[:-1],
        lambda path: path.read_bytes()[: len(path.read_bytes()) // 2],
        lambda path: path.read_bytes() + b"\x00",
        lambda path: _flipped(path, 0),
        lambda path: _flipped(path, 30),
        lambda path: _flipped(path, len(path.read_bytes()) // 2),
        lambda path: _flipped(path, -1),
        lambda path: b"",
        lambda path: path.read_bytes().split(b"\n", 1)[0] + b"\n" + b"\x81" * 100_000,
        lambda path: path.read_bytes().split(b"\n", 1)[0] + b"\n\x9b" + b"\xff" * 8,
        lambda path: path.read_bytes().split(b"\n", 1)[0] + b"\n\xf6",
        lambda path: path.read_bytes().replace(b"/1\n", b"/2\n", 1),
        lambda path: b"zkwm-judge-public/1\n" + path.read_bytes().split(b"\n", 1)[1],
    ],
    ids=[
        "one byte short", "truncated", "grown", "first bit", "early bit", "middle bit",
        "last bit", "empty", "deep", "huge list", "wrong type", "version", "kind",
    ],
)  # fmt: skip
def test_spoilt_files(zkwm: Command, case: Files, name: str, spoil: object) -> None:
    path = getattr(case, name)
    path.write_bytes(spoil(path))  # type: ignore[operator]
    result = zkwm(*case.verify_options(), "--json")
    assert result.code == 3
    assert result.json["schema"] == "zkwm/verdict/v1"
    assert result.json["outcome"] == "could not be checked"
    failed = [check for check, status in statuses(result.json).items() if status == "failed"]
    assert len(failed) == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("zkwm: error: ")]
    assert len(errors) == 1
    assert errors[0].endswith(f"[{failed[0]}]")
    assert "zkwm: hint: " in result.stderr


def test_text_when_it_could_not_be_checked(zkwm: Command, case: Files) -> None:
    case.challenge.write_bytes(case.challenge.read_bytes() + b"x")
    result = zkwm(*case.verify_options())
    assert result.code == 3
    assert result.stdout.startswith("COULD NOT BE CHECKED")
    assert "[challenge.format]" in result.stderr


def test_huge_file_is_not_read(zkwm: Command, case: Files) -> None:
    with case.commitment.open("ab") as file:
        file.truncate(10**10)
    result = zkwm(*case.verify_options())
    assert (result.code, result.stdout) == (3, "")
    assert "larger than" in result.stderr


@pytest.mark.parametrize("name", ["commitment", "challenge", "proof", "judge", "model"])
def test_missing_files(zkwm: Command, case: Files, name: str) -> None:
    getattr(case, name).unlink()
    result = zkwm(*case.verify_options())
    assert result.code == 3
    assert "cannot read" in result.stderr


@pytest.mark.parametrize("name", ["commitment", "challenge", "proof", "judge"])
def test_folders_as_files(zkwm: Command, case: Files, name: str) -> None:
    result = zkwm(*case.verify_options(**{name: case.folder}))
    assert (result.code, result.stdout) == (3, "")


def test_proof_under_another_challenge(zkwm: Command, case: Files) -> None:
    assert zkwm(*case.challenge_options()).code == 0
    result = zkwm(*case.verify_options(challenge=case.folder / "new.challenge"), "--json")
    assert result.code == 3
    assert statuses(result.json)["response.challenge"] == "failed"


def test_proof_under_another_commitment(zkwm: Command, case: Files) -> None:
    other = case.folder / "other.commitment"
    made = zkwm(
        *("commit", "--vault", case.vault, "--generate", 200, "--shape", "1,16,16"),
        *("--classes", 10, "--output", other),
    )
    assert made.code == 0
    result = zkwm(*case.verify_options(commitment=other), "--json")
    assert result.code == 3
    assert statuses(result.json)["challenge.commitment"] == "failed"


def test_proof_under_another_model(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(model=case.innocent), "--json")
    assert result.code == 3
    assert statuses(result.json)["challenge.suspect"] == "failed"


def test_response_passed_on_to_another_judge(zkwm: Command, case: Files) -> None:
    create_judge_key(case.folder / "other.key", "five words for the tests")
    result = zkwm(*case.verify_options(judge=case.folder / "other.key"), "--json")
    assert result.code == 3
    assert statuses(result.json)["challenge.judge"] == "failed"


def test_wrong_passphrase(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKWM_PASSPHRASE", "wrong")
    result = zkwm(*case.verify_options(), "--json")
    assert result.code == 3
    assert result.json["schema"] == "zkwm/error/v1"


def test_empty_passphrase(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKWM_PASSPHRASE", "")
    assert zkwm(*case.verify_options()).code == 2


def test_vault_as_judge_key(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(judge=case.vault))
    assert (result.code, result.stdout) == (3, "")


def test_a_missing_leaf_is_a_miss(zkwm: Command, case: Files) -> None:
    """An owner who leaves out what does not match gains nothing; the rest still counts."""
    from dataclasses import replace

    from zkwm.vault import Vault
    from zkwm_protocols.opening import make_opening, open_sealed

    commitment = Commitment.from_bytes(case.commitment.read_bytes())
    challenge = Challenge.from_bytes(case.challenge.read_bytes())
    box = open_judge_key(case.judge, "five words for the tests").box
    opening = Opening.from_bytes(case.proof.read_bytes())
    (block,) = open_sealed(commitment, challenge, opening, box)
    partial = replace(block, triggers=(*block.triggers[:45], *[None] * 5))
    signer = Vault.open(case.vault, "five words for the tests").state.signing_key
    case.proof.write_bytes(make_opening(commitment, challenge, (partial,), (signer,)).to_bytes())
    result = zkwm(*case.verify_options(), "--json")
    assert result.code == 0
    assert (result.json["matches"], result.json["triggers_opened"]) == (45, 50)
    assert statuses(result.json)["opening.leaves"] == "failed"


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ((2,), "which the challenge excludes"),
        ((1, 3), "2 blocks are opened"),
        ((1, 1), "not ascending, each once"),
        ((4,), "that the commitment does not have"),
    ],
    ids=["spent", "unasked", "repeated", "not there"],
)
def test_blocks_that_may_not_be_opened(
    zkwm: Command, case: Files, blocks: tuple[int, ...], message: str
) -> None:
    """What ``zkwm prove`` would never write, signed by the owner all the same."""
    from dataclasses import replace

    from zkwm.vault import Vault

    assert zkwm(*case.challenge_options(exclude_blocks="0,2")).code == 0
    challenge = case.folder / "new.challenge"
    assert zkwm(*case.prove_options(challenge=challenge)).code == 0
    path = case.folder / "new.proof"
    forged = replace(Opening.from_bytes(path.read_bytes()), blocks=blocks)
    signer = Vault.open(case.vault, "five words for the tests").state.signing_key
    forged = replace(forged, signatures=(signer.sign("opening", forged.digest),))
    path.write_bytes(forged.to_bytes())
    result = zkwm(*case.verify_options(challenge=challenge, proof=path), "--json")
    assert result.code == 3
    assert statuses(result.json)["response.blocks"] == "failed"
    assert message in result.json["reason"]


def test_model_that_answers_with_nan(zkwm: Command, case: Files) -> None:
    images, labels = case.triggers()
    model = case.folder / "nan.onnx"
    save_lookup(model, images, labels, factor=float("nan"))
    result = zkwm(*_options_for(zkwm, case, model=model), "--json")
    assert result.code == 3
    assert statuses(result.json)["suspect.answers"] == "failed"
    assert "not finite" in result.json["reason"]


def test_named_timestamp_authority_without_its_token(zkwm: Command, case: Files) -> None:
    from dataclasses import replace

    from zkwm.vault import Vault

    commitment = Commitment.from_bytes(case.commitment.read_bytes())
    header = replace(commitment.header, timestamp_authority=bytes(32))
    signer = Vault.open(case.vault, "five words for the tests").state.signing_key
    named = replace(
        commitment, header=header, signatures=(signer.sign("commitment", header.digest),)
    )
    case.commitment.write_bytes(named.to_bytes())
    result = zkwm(*case.verify_options(), "--json")
    assert result.code == 4
    assert result.json["outcome"] == "trust material missing"
    assert "zkwm: error: " in result.stderr
    assert zkwm("inspect", case.commitment).code == 4


@pytest.fixture
def declared(zkwm: Command, case: Files) -> Path:
    """A commitment to the same images and labels, the labels declared by the owner."""
    images, labels = case.triggers()
    np.savez(case.folder / "images.npz", images=images)
    np.savez(case.folder / "labels.npz", labels=labels)
    path = case.folder / "declared.commitment"
    made = zkwm(
        *("commit", "--vault", case.vault, "--images", case.folder / "images.npz"),
        *("--labels", case.folder / "labels.npz", "--classes", 10, "--output", path),
    )
    assert made.code == 0
    return path


def test_declared_labels_prove_nothing_by_themselves(
    zkwm: Command, case: Files, declared: Path
) -> None:
    options = _options_for(zkwm, case, commitment=declared)
    result = zkwm(*options, "--json")
    assert result.code == 1
    assert result.json["matches"] == 50
    assert result.json["evidence"] is None
    assert statuses(result.json)["opening.labels"] == "failed"


def test_declared_labels_accepted_by_the_judge(zkwm: Command, case: Files, declared: Path) -> None:
    options = _options_for(zkwm, case, commitment=declared)
    result = zkwm(*options, "--accept-declared-labels", "--json")
    assert result.code == 0
    assert result.json["declared_labels_accepted"] is True
    assert result.json["evidence"] is None


def test_endpoint(zkwm: Command, case: Files, endpoint: Endpoint) -> None:
    options = _options_for(zkwm, case, model=endpoint.url)
    endpoint.asked.clear()
    headers = case.folder / "headers"
    headers.write_text("Authorization: Bearer abc\n")
    result = zkwm(*options, "--header-file", headers, "--json")
    assert result.code == 0, result.stderr
    assert len(endpoint.asked) == 100  # as many decoys as triggers
    assert sum(image in endpoint.table for image in endpoint.asked) == 50
    assert endpoint.headers[-1]["Authorization"] == "Bearer abc"
    assert "Bearer" not in result.stdout + result.stderr


def test_decoys_of_the_judge(zkwm: Command, case: Files, endpoint: Endpoint) -> None:
    """An owner's own images come without decoys; the judge's are used."""
    images, _ = case.triggers()
    np.savez(case.folder / "images.npz", images=images)
    path = case.folder / "given.commitment"
    made = zkwm(
        *("commit", "--vault", case.vault, "--images", case.folder / "images.npz"),
        *("--classes", 10, "--output", path),
    )
    assert made.code == 0
    labels = Commitment.from_bytes(path.read_bytes()).labels()
    endpoint.table = {x.tobytes(): int(y) for x, y in zip(images, labels, strict=True)}
    options = _options_for(zkwm, case, commitment=path, model=endpoint.url)
    decoys = np.random.default_rng(5).integers(0, 256, (60, 1, 16, 16), dtype=np.uint8)
    np.savez(case.folder / "decoys.npz", images=decoys)
    endpoint.asked.clear()
    result = zkwm(*options, "--decoys", case.folder / "decoys.npz")
    assert result.code == 0, result.stderr
    assert {image.tobytes() for image in decoys} <= set(endpoint.asked)


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (lambda _: b"garbage", "no usable answer"),
        (lambda _: json.dumps({"scores": [0.0, 1.0]}).encode(), "2 outputs instead of 10"),
        (lambda _: b'{"scores": [NaN]}', ""),
        (lambda _: b'{"label": 10}', ""),
        (lambda _: b"[" * 100_000, ""),
        (lambda _: b"x" * (1 << 21), ""),
    ],
)
def test_endpoint_that_sends_garbage(
    zkwm: Command, case: Files, endpoint: Endpoint, reply: object, problem: str
) -> None:
    options = _options_for(zkwm, case, model=endpoint.url)
    endpoint.reply = reply  # type: ignore[assignment]
    result = zkwm(*options, "--json")
    assert result.code == 3
    assert statuses(result.json)["suspect.answers"] == "failed"


def test_endpoint_that_hangs(zkwm: Command, case: Files, endpoint: Endpoint) -> None:
    options = _options_for(zkwm, case, model=endpoint.url)
    calls = iter(range(10_000))
    endpoint.reply = lambda output: scores(output) if next(calls) < 20 else None
    result = zkwm(*options, "--timeout", "0.01", "--json")
    assert result.code == 3
    assert "got no answer (timed out)" in result.json["reason"]


def test_endpoint_that_is_gone(zkwm: Command, case: Files, no_pauses: None) -> None:
    result = zkwm(*case.challenge_options(model="http://127.0.0.1:9/", outputs=10))
    assert result.code == 0
    challenge = case.folder / "new.challenge"
    assert zkwm(*case.prove_options(challenge=challenge)).code == 0
    result = zkwm(
        *case.verify_options(
            challenge=challenge, proof=case.folder / "new.proof", model="http://127.0.0.1:9/"
        ),
        "--timeout",
        "0.05",
        "--json",
    )
    assert result.code == 3
    assert statuses(result.json)["suspect.answers"] == "failed"


def test_wrong_decoys(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(decoys=case.proof))
    assert result.code == 3
    assert "is not an intact image" in result.stderr


def test_progress_stays_off_stdout(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(), "--json")
    json.loads(result.stdout)
    assert "asking" not in result.stdout
