"""A case in files, and what tests of the command line and of the examples do with it.

Not a test. The suspect is an ONNX graph that compares its input with known images: nothing has to
be trained.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from zkwm.owner.vault import Vault
from zkwm_protocols.commitment import Commitment

PASSPHRASE = "five words for the tests"
SHAPE = (1, 16, 16)
PATIENCE = 120.0
"""Seconds for which a command at a terminal may be silent."""
AT_TERMINAL = """
import os, sys
os.open(os.ttyname(0), os.O_RDWR)  # a session without a terminal gets this one
os.execv(sys.executable, [sys.executable, "-m", "zkwm_cli", *sys.argv[1:]])
"""


@dataclass(frozen=True)
class Result:
    """How a command ended and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """Stdout, which has to be one JSON object."""
        value = json.loads(self.stdout)
        assert isinstance(value, dict)
        return value


Command = Callable[..., Result]


def save_lookup(
    path: Path,
    images: np.ndarray,
    outputs: np.ndarray,
    count: int = 10,
    *,
    factor: float = 1.0,
    shape: tuple[int, int, int] = SHAPE,
) -> None:
    """An ONNX classifier of unit pixels: the nearest of ``images`` gives its entry of ``outputs``.

    Its scores are multiplied by ``factor`` (NaN makes them useless).
    """
    templates = images.reshape(len(images), -1).astype(np.float64) / 255
    weights = 2000 * templates.T
    bias = -1000 * (templates**2).sum(axis=1)
    table = np.zeros((len(images), count))
    table[np.arange(len(images)), outputs] = factor
    tensors = {"w": weights, "b": bias, "t": table}
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["near"]),
            helper.make_node("Softmax", ["near"], ["nearest"]),
            helper.make_node("MatMul", ["nearest", "t"], ["y"]),
        ],
        "lookup",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", *shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", count))],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save_model(model, str(path))


@dataclass(frozen=True)
class Files:
    """The files of the case, by the names that the documentation uses."""

    folder: Path
    judge_fingerprint: str

    def __getattr__(self, name: str) -> Path:
        """``case.proof`` is the file case.proof and so on."""
        names = {
            "vault": "acme.vault",
            "commitment": "acme.commitment",
            "model": "model.onnx",
            "innocent": "innocent.onnx",
            "judge": "judge.key",
            "public": "judge.key.pub",
            "challenge": "case.challenge",
            "proof": "case.proof",
            "second_challenge": "second.challenge",
        }
        if name not in names:
            raise AttributeError(name)
        return self.folder / names[name]

    def triggers(self) -> tuple[np.ndarray, np.ndarray]:
        """The images and labels of the commitment."""
        commitment = Commitment.from_bytes(self.commitment.read_bytes())
        own = Vault.open(self.vault, PASSPHRASE).state.commitments[commitment.digest]
        images = np.frombuffer(own.images, np.uint8).reshape(-1, *commitment.header.shape)
        return images, commitment.labels()

    def challenge_options(self, **changes: object) -> list[object]:
        """The arguments of zkwm challenge; a change replaces an option."""
        options: dict[str, object] = {
            "commitment": self.commitment,
            "model": self.model,
            "reveal": 50,
            "judge": self.public,
            "output": self.folder / "new.challenge",
        }
        return ["challenge", *_arguments(options | changes)]

    def prove_options(self, **changes: object) -> list[object]:
        """The arguments of zkwm prove, without a confirmation."""
        options: dict[str, object] = {
            "vault": self.vault,
            "commitment": self.commitment,
            "challenge": self.challenge,
            "output": self.folder / "new.proof",
        }
        return ["prove", *_arguments(options | changes)]

    def verify_options(self, **changes: object) -> list[object]:
        """The arguments of zkwm verify."""
        options: dict[str, object] = {
            "commitment": self.commitment,
            "model": self.model,
            "challenge": self.challenge,
            "proof": self.proof,
            "judge": self.judge,
        }
        return ["verify", *_arguments(options | changes)]


def _arguments(options: dict[str, object]) -> list[object]:
    return [
        part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)
    ]


@dataclass
class Endpoint:
    """An endpoint on this machine that answers ``zkwm/query/v1`` from a table of images."""

    url: str
    table: dict[bytes, int]
    reply: Callable[[int], bytes | None]
    headers: list[dict[str, str]] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)


def scores(output: int) -> bytes:
    """An endpoint's answer: ten scores, the largest at ``output``."""
    return json.dumps({"scores": [float(k == output) for k in range(10)]}).encode()


def at_terminal(arguments: list[str], answers: list[bytes]) -> tuple[int, bytes]:
    """Run a command at a terminal, type the answers when asked, return exit code and screen."""
    terminal, other_end = os.openpty()
    command = subprocess.Popen(
        [sys.executable, "-c", AT_TERMINAL, *arguments],
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        start_new_session=True,
        env={k: v for k, v in os.environ.items() if k != "ZKWM_PASSPHRASE"},
    )
    os.close(other_end)
    screen = b""
    for answer in [*answers, None]:
        while True:
            if not select.select([terminal], [], [], PATIENCE)[0]:
                command.kill()
                raise AssertionError(f"silent for {PATIENCE} s: {screen!r}")
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # the terminal is closed when the command has ended
                piece = b""
            screen += piece
            if not piece or (answer is not None and screen.endswith((b": ", b"[type yes] "))):
                break
        if answer is not None:
            os.write(terminal, answer)
            screen += b"|"
    os.close(terminal)
    return command.wait(timeout=PATIENCE), screen


def statuses(verdict: dict[str, Any]) -> dict[str, str]:
    """The status of each check of a verdict in JSON, by id."""
    checks = verdict["checks"]
    assert all(set(check) == {"id", "title", "status", "detail"} for check in checks)
    return {check["id"]: check["status"] for check in checks}


def dispute_over(zkwm: Command, case: Files, **changes: object) -> list[object]:
    """verify's arguments for a new challenge made with ``changes``, and its proof."""
    made = zkwm(*case.challenge_options(**changes))
    assert made.code == 0, made.stderr
    challenge = case.folder / "new.challenge"
    chosen = {name: value for name, value in changes.items() if name in ("model", "commitment")}
    commitment = {k: v for k, v in chosen.items() if k == "commitment"}
    proved = zkwm(*case.prove_options(challenge=challenge, **commitment), "--again")
    assert proved.code == 0, proved.stderr
    return case.verify_options(challenge=challenge, proof=case.folder / "new.proof", **chosen)


def spent(case: Files) -> int:
    """The number of entries in the ledger of the case's vault."""
    return len(Vault.open(case.vault, PASSPHRASE).state.ledger)
