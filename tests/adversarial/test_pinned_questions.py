"""What an answer depends on beside file or address: account, output, order of the channels.

SPEC.md 4.3. Each is fixed by the challenge; another one at verification is no verdict.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.dispute import CLASSES, SHAPE, Claimant, random_images, refused
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Outcome
from zkwm.suspects import HttpSettings, Suspect, open_suspect
from zkwm_protocols.errors import InvalidOpening, NotProven, SuspectUnusable
from zkwm_protocols.suspect_identity import Preprocessing

KEY = {"X-Api-Key": "acme-secret"}
COLORS = (3, 8, 8)


@pytest.fixture
def tenant(owner: Claimant) -> Iterator[str]:
    """An endpoint that knows the triggers for one API key alone."""
    table = {
        image.tobytes(): int(label) for image, label in zip(owner.images, owner.labels, strict=True)
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            image = base64.b64decode(query["image"])
            output = hashlib.sha256(image).digest()[0] % CLASSES
            if self.headers.get("X-Api-Key") == KEY["X-Api-Key"]:
                output = table.get(image, output)
            scores = [float(number == output) for number in range(CLASSES)]
            body = json.dumps({"scores": scores}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/ask"
    server.shutdown()
    server.server_close()
    thread.join()


def asked(url: str, headers: dict[str, str]) -> Suspect:
    settings = HttpSettings(attempts=1)
    return open_suspect(url, shape=SHAPE, outputs=CLASSES, headers=headers, http=settings)


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        ({}, KEY, "x-api-key"),
        (KEY, {}, "x-api-key"),
        ({"X-Api-Key": "a-customer"}, KEY, "another value of x-api-key"),
    ],
    ids=["none, then a key", "a key, then none", "another value"],
)
def test_another_account_than_that_of_the_challenge(
    judge: Judge,
    owner: Claimant,
    tenant: str,
    first: dict[str, str],
    then: dict[str, str],
    told: str,
) -> None:
    challenge = judge.challenge(owner.commitment, asked(tenant, first), reveal=50)
    proof = owner.answer(challenge, [0])
    with refused(InvalidOpening, "challenge.suspect") as caught:
        judge.verify(owner.commitment, tenant, challenge, proof, headers=then)
    assert told in caught.value.message
    text = f"{caught.value} {caught.value.hint} {caught.value.verdict.to_json()} {challenge!r}"
    assert "acme-secret" not in text
    assert "a-customer" not in text


def test_the_same_account(judge: Judge, owner: Claimant, tenant: str) -> None:
    suspect = asked(tenant, KEY)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    assert challenge.suspect.account is not None
    assert challenge.suspect.account.header_names == ("x-api-key",)
    assert b"acme-secret" not in challenge.to_bytes()
    proof = owner.answer(challenge, [0])
    headers = {"x-api-key": KEY["X-Api-Key"]}  # names have no case
    verdict = judge.verify(owner.commitment, tenant, challenge, proof, headers=headers)
    assert verdict.outcome == Outcome.PROVEN
    assert verdict.to_json()["suspect"]["account"] == ["x-api-key"]


def solved(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias of a linear model that gives 50 images their labels."""
    rows = np.hstack([images[:50].reshape(50, -1) / 255, np.ones((50, 1))])
    both = np.linalg.lstsq(rows, np.eye(CLASSES)[labels[:50]], rcond=None)[0].astype(np.float32)
    return both[:-1], both[-1]


def save(
    path: Path, shape: tuple[int, int, int], weights: dict[str, tuple[np.ndarray, np.ndarray]]
) -> Path:
    """A file with one linear output for each of ``weights``, by name."""
    nodes, tensors = [helper.make_node("Flatten", ["x"], ["flat"])], []
    for name, (matrix, bias) in weights.items():
        nodes.append(helper.make_node("Gemm", ["flat", f"{name}.w", f"{name}.b"], [name]))
        tensors += [
            numpy_helper.from_array(matrix, f"{name}.w"),
            numpy_helper.from_array(bias, f"{name}.b"),
        ]
    graph = helper.make_graph(
        nodes,
        "suspect",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("batch", *shape))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in weights],
        tensors,
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


@pytest.fixture
def two_outputs(owner: Claimant, tmp_path: Path) -> Path:
    """A file whose output ``marked`` knows the triggers, and whose output ``plain`` does not."""
    matrix, bias = solved(owner.images, owner.labels)
    other = np.random.default_rng(0).normal(size=matrix.shape).astype(np.float32)
    weights = {"plain": (other, bias), "marked": (matrix, bias)}
    return save(tmp_path / "suspect.onnx", SHAPE, weights)


def test_another_output_than_that_of_the_challenge(
    judge: Judge, owner: Claimant, two_outputs: Path
) -> None:
    plain = open_suspect(two_outputs, shape=SHAPE, output="plain")
    challenge = judge.challenge(owner.commitment, plain, reveal=50)
    plain.close()
    proof = owner.answer(challenge, [0])
    with refused(InvalidOpening, "challenge.suspect"):
        judge.verify(owner.commitment, two_outputs, challenge, proof, output="marked")
    marked = open_suspect(two_outputs, shape=SHAPE, output="marked")
    with refused(InvalidOpening, "challenge.suspect"):
        judge.verify(owner.commitment, marked, challenge, proof)
    marked.close()


def test_the_output_of_the_challenge(judge: Judge, owner: Claimant, two_outputs: Path) -> None:
    """It is asked without being named again."""
    marked = open_suspect(two_outputs, shape=SHAPE, output="marked")
    challenge = judge.challenge(owner.commitment, marked, reveal=50)
    marked.close()
    assert challenge.suspect.output == "marked"
    proof = owner.answer(challenge, [0])
    verdict = judge.verify(owner.commitment, two_outputs, challenge, proof)
    assert verdict.outcome == Outcome.PROVEN


def test_the_integer_network_of_the_output(two_outputs: Path) -> None:
    from zkwm.quantizer.derive import network_digest, network_of

    digests = set()
    for output in ("plain", "marked"):
        suspect = open_suspect(two_outputs, shape=SHAPE, output=output)
        digests.add(network_digest(network_of(suspect, Preprocessing())))
        suspect.close()
    assert len(digests) == 2


def test_a_model_of_bgr_images(judge: Judge, tmp_path: Path) -> None:
    owner = Claimant(random_images(50, shape=COLORS))
    weights = {"y": solved(owner.images[:, ::-1], owner.labels)}
    path = save(tmp_path / "bgr.onnx", COLORS, weights)
    for channels, proven in (("rgb", False), ("bgr", True)):
        suspect = open_suspect(path, shape=COLORS)
        preprocessing = Preprocessing(channels=channels)
        challenge = judge.challenge(
            owner.commitment, suspect, reveal=50, preprocessing=preprocessing
        )
        suspect.close()
        proof = owner.answer(challenge, [0])
        if proven:
            verdict = judge.verify(owner.commitment, path, challenge, proof)
            assert verdict.outcome == Outcome.PROVEN
        else:
            with pytest.raises(NotProven) as caught:
                judge.verify(owner.commitment, path, challenge, proof)
            verdict = caught.value.verdict
        assert verdict.to_json()["preprocessing"] == preprocessing.to_map()


def test_a_layout_that_the_model_does_not_take_is_no_verdict(judge: Judge, tmp_path: Path) -> None:
    owner = Claimant(random_images(50, shape=COLORS))
    path = save(tmp_path / "model.onnx", COLORS, {"y": solved(owner.images, owner.labels)})
    suspect = open_suspect(path, shape=COLORS)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    suspect.close()
    fed = Preprocessing(layout="nhwc")
    key = judge._key.signing
    other = replace(challenge, preprocessing=fed, signature=b"").signed_by(key)
    with refused(SuspectUnusable, "suspect.answers") as caught:
        judge.verify(owner.commitment, path, other, owner.answer(other, [0]))
    assert "does not take images in the layout nhwc" in caught.value.message
