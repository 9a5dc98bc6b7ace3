"""verify: a suspect behind HTTP, its decoys, and how it may fail to answer."""

from __future__ import annotations

import json
from hashlib import sha256

import numpy as np
import pytest

from tests.support.case_files import Command, Endpoint, Files, dispute_over, scores, statuses
from zkwm_protocols.commitment import Commitment


def test_endpoint(zkwm: Command, case: Files, endpoint: Endpoint) -> None:
    headers = case.folder / "headers"
    headers.write_text("Authorization: Bearer abc\n")
    options = dispute_over(zkwm, case, model=endpoint.url, header_file=headers)
    endpoint.asked.clear()
    result = zkwm(*options, "--header-file", headers, "--json")
    assert result.code == 0, result.stderr
    assert len(endpoint.asked) == 125  # as many decoys as triggers, and natural images
    assert sum(image in endpoint.table for image in endpoint.asked) == 50
    assert endpoint.headers[-1]["Authorization"] == "Bearer abc"
    assert "Bearer" not in result.stdout + result.stderr


def test_decoys_of_the_judge(zkwm: Command, case: Files, endpoint: Endpoint) -> None:
    """An owner's own images come without decoys; the judge's are used."""
    images = case.triggers()[0][50:]  # block 0 was opened
    np.savez(case.folder / "images.npz", images=images)
    path = case.folder / "given.commitment"
    made = zkwm(
        *("commit", "--vault", case.vault, "--images", case.folder / "images.npz"),
        *("--classes", 10, "--output", path),
    )
    assert made.code == 0
    labels = Commitment.from_bytes(path.read_bytes()).labels()
    endpoint.table = {x.tobytes(): int(y) for x, y in zip(images, labels, strict=True)}
    options = dispute_over(zkwm, case, commitment=path, model=endpoint.url)
    decoys = np.random.default_rng(5).integers(0, 256, (60, 1, 16, 16), dtype=np.uint8)
    np.savez(case.folder / "decoys.npz", images=decoys)
    endpoint.asked.clear()
    result = zkwm(*options, "--decoys", case.folder / "decoys.npz")
    assert result.code == 0, result.stderr
    assert {image.tobytes() for image in decoys} <= set(endpoint.asked)


@pytest.mark.parametrize(
    "reply",
    [
        lambda _: b"garbage",
        lambda _: json.dumps({"scores": [0.0, 1.0]}).encode(),
        lambda _: b'{"scores": [NaN]}',
        lambda _: b'{"label": 10}',
        lambda _: b"[" * 100_000,
        lambda _: b"x" * (1 << 21),
    ],
    ids=["no JSON", "too few scores", "not a number", "no such label", "deep", "huge"],
)
def test_endpoint_that_sends_garbage(
    zkwm: Command, case: Files, endpoint: Endpoint, reply: object
) -> None:
    options = dispute_over(zkwm, case, model=endpoint.url)
    endpoint.reply = reply
    result = zkwm(*options, "--json")
    assert result.code == 3
    assert statuses(result.json)["suspect.answers"] == "failed"


@pytest.mark.parametrize(
    ("option", "model", "told"),
    [
        ("--header-file", None, "a name that is not allowed"),
        ("--template", None, "leave --template out"),
        (None, "http://192.0.2.1/ask", "use an https:// URL"),
        (None, "https://192.0.2.1/ask#part", "has no fragment"),
    ],
)
def test_options_that_do_not_fit_end_a_case_that_was_begun(
    zkwm: Command,
    case: Files,
    endpoint: Endpoint,
    option: str | None,
    model: str | None,
    told: str,
) -> None:
    """A verdict is printed, so the code is 3: "nothing was done" (2) would be wrong."""
    options = dispute_over(zkwm, case, model=endpoint.url)
    honest = zkwm(*options)
    asked = len(endpoint.asked)
    if model is not None:
        options[options.index("--model") + 1] = model
    if option is not None:
        file = case.folder / "file"
        file.write_text("Host: another\n")
        options += [option, file]
    result = zkwm(*options, "--json")
    assert (honest.code, result.code) == (0, 3), result.stderr
    assert result.json["outcome"] == "could not be checked"
    assert statuses(result.json)["challenge.suspect"] == "failed"
    assert told in result.stderr
    assert len(endpoint.asked) == asked


def test_endpoint_that_hangs(zkwm: Command, case: Files, endpoint: Endpoint) -> None:
    options = dispute_over(zkwm, case, model=endpoint.url)
    calls = iter(range(10_000))
    endpoint.reply = lambda output: scores(output) if next(calls) < 20 else None
    result = zkwm(*options, "--timeout", "0.01", "--json")
    assert result.code == 3
    assert statuses(result.json)["suspect.answers"] == "failed"
    assert result.json["triggers_opened"] == 50


def test_no_challenge_about_an_endpoint_that_is_gone(
    zkwm: Command, case: Files, no_pauses: None
) -> None:
    """The number of outputs, said beforehand, is no reason not to ask."""
    result = zkwm(*case.challenge_options(model="http://127.0.0.1:9/", outputs=10))
    assert result.code == 3
    assert "the connection failed" in result.stderr
    assert not (case.folder / "new.challenge").exists()


def test_wrong_decoys(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(decoys=case.proof))
    assert result.code == 3
    assert "case.proof" in result.stderr


def test_what_a_report_about_an_endpoint_gives_away(
    zkwm: Command, case: Files, endpoint: Endpoint
) -> None:
    """The endpoint sends the account's token back in each reply: it is in no file and no message.

    What follows the ? of a URL is public, and whoever makes a challenge is told.
    """
    token, key = "token-of-the-account", "key=in-the-url"
    headers, model = case.folder / "headers", f"{endpoint.url}?{key}"
    headers.write_text(f"Authorization: Bearer {token}\n")
    made = zkwm(*case.challenge_options(model=model, header_file=headers))
    assert "the whole URL" in made.stderr
    assert "--header-file" in made.stderr
    files = {"challenge": case.folder / "new.challenge", "proof": case.folder / "new.proof"}
    assert zkwm(*case.prove_options(challenge=files["challenge"]), "--again").code == 0
    replies = [b'{"error": "Bearer %b"}' % token.encode(), token.encode()]
    endpoint.reply = lambda output: replies[output % 2] if output > 6 else scores(output)
    written = {
        option: case.folder / option.strip("-")
        for option in ("--report", "--report-public", "--verdict")
    }
    options = case.verify_options(**files, model=model, header_file=headers)
    done = zkwm(*options, *(part for pair in written.items() for part in pair), "--json")
    assert done.code == 3, done.stderr
    shown = {name: path.read_bytes() for name, path in written.items()}
    shown |= {"output": (done.stdout + done.stderr + made.stderr).encode()}
    assert all(token.encode() not in data for data in shown.values())
    assert key.encode() in shown["--report-public"]
    triggers = [image.tobytes() for image in case.triggers()[0]]
    for name in ("--report-public", "--verdict"):
        assert not any(image in shown[name] for image in triggers)
    assert not any(sha256(one).hexdigest().encode() in shown["--report-public"] for one in triggers)
