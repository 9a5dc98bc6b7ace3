"""What the processes send that handle foreign files, read up to the value that their caller uses.

The processes run what an adversary made: their results count as the adversary's.
"""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np

from tests.fuzz.byte_changes import change_bytes, mixed
from tests.fuzz.cbor_changes import change_cbor
from tests.fuzz.disk import folder, from_disk
from tests.fuzz.harness import Errors, Kind
from tests.fuzz.text_changes import change_json
from tests.support.sent_process import SentProcess, frames
from tests.support.small_networks import random_network, two_class_network
from zkwm.nn.architectures import build_model
from zkwm.nn.model_file import config_json, weight_bytes
from zkwm.quantizer.limited_quantizer import declared_shape_limited, quantize_limited
from zkwm.quantizer.limited_scores import scores_limited
from zkwm.suspects import limited_process, limited_weights, onnx_process
from zkwm.suspects.limited_process import NoResultError
from zkwm.suspects.limits import OnnxLimits
from zkwm.suspects.onnx_parts import onnx_digest, read_whole
from zkwm.suspects.onnx_process import NoReplyError, OnnxProcess
from zkwm_protocols.errors import CouldNotCheck, Malformed, SuspectUnusable, ZkwmError
from zkwm_protocols.integer_network import codec
from zkwm_protocols.suspect_identity import Preprocessing

_NAMES = ["a.bin", "b.bin", "c.bin", "link", "linked/a.bin", "folder", "pipe", "../a.bin", "/a.bin",
          "a.bin ", "a.bin.", ".", "..", "", "a\0", "A.BIN", "a.bin:x", "~", "x" * 300]  # fmt: skip
_FRAME_LIMIT = 1 << 16
_MENTIONED = b"a model with a location"


@dataclass(frozen=True)
class Sent:
    """What a process sends when all is well: a map, and a result that ``change`` changes."""

    facts: dict[str, Any]
    result: Callable[[Random], bytes]
    change: Callable[[bytes, Random], bytes] = change_bytes


@contextmanager
def _already_sent(module: ModuleType, data: bytes) -> Iterator[None]:
    """Processes that a module starts have sent ``data``: their deadline needs no thread."""

    @contextmanager
    def in_time(*_: object) -> Iterator[threading.Event]:
        yield threading.Event()

    with (
        patch.object(module, "start_process", lambda *_: SentProcess(data)),
        patch.object(module, "killed_after", in_time),
    ):
        yield


def _unchanged(data: bytes, _: Random) -> bytes:
    """What ``make`` gave: it was changed before the frames were made."""
    return data


def _made(sent: Sent) -> Callable[[Random], bytes]:
    """Replies: good ones, with another map, with another result, and errors."""
    refused = {"class": "Unsupported", "message": "no", "hint": "yes", "check": "network.size"}

    def make(random: Random) -> bytes:
        text, result = json.dumps(sent.facts).encode(), sent.result(random)
        way = random.random()
        if way < 0.1:
            return frames(b"E" + change_json(json.dumps(refused).encode(), random))
        if way < 0.5:
            text = change_json(text, random)
        elif way < 0.9:
            result = sent.change(result, random)
        return frames(b"R" + text, result)

    return mixed(make, _unchanged)


def _kind(name: str, sent: Sent, read: Callable[[], object], errors: Errors = (ZkwmError,)) -> Kind:
    """A result, read by a caller whose process has sent it already.

    A process may send any error of zkwm, so that all are right that say something.
    """

    def reader(data: bytes) -> object:
        with _already_sent(limited_process, data):
            return read()

    return Kind(f"process: {name}", _made(sent), reader, errors)


def network_kinds() -> list[Kind]:
    """Results of the quantizer's process."""
    network = two_class_network()
    images = np.zeros((3, *network.shape), np.uint8)
    facts = {"calibration_digest": "00" * 32, "calibration_count": 7, "notes": ["a note"]}

    @functools.cache
    def numbered(seed: int) -> bytes:
        return codec.to_bytes(random_network(seed) if seed else network)

    def networks(random: Random) -> bytes:
        return numbered(random.randrange(20))

    def changed(data: bytes, random: Random) -> bytes:
        line, feed, value = data.partition(b"\n")
        return line + feed + change_cbor(value, random)

    def quantized() -> object:
        made = quantize_limited(b"model", shape=(1, 2, 2), preprocessing=Preprocessing())
        assert all(note.isprintable() for note in made.notes)
        return made

    def scored() -> object:
        read = scores_limited(b"model", network, images, preprocessing=Preprocessing())
        assert read.real.shape == read.last.shape == read.whole.shape == (3, network.outputs)
        return read

    scores = np.arange(9.0 * network.outputs).tobytes()
    return [
        _kind("network", Sent(facts, networks, changed), quantized),
        _kind("shape", Sent({"shape": [1, 4, 4]}, lambda _: b""),
              lambda: declared_shape_limited(b"model", Preprocessing())),
        _kind("layers' scores", Sent({}, lambda _: scores), scored),
    ]  # fmt: skip


def result_kind() -> Kind:
    """Any result, as far as all callers read alike."""

    def read() -> object:
        return limited_process.run_limited(
            "none", [b""], memory=1 << 20, seconds=60.0, result_limit=_FRAME_LIMIT
        )

    facts = {"a number": 7, "texts": ["a note", "0" * 64]}
    return _kind("result", Sent(facts, lambda _: b"the result"), read, (NoResultError, ZkwmError))


def scores_kind() -> Kind:
    """Scores of the process that runs an ONNX file."""
    fields = {"dtype": "float32", "shape": [None, 1, 2, 2], "moved": 0, "left": 0}
    declared = b"R" + json.dumps(fields).encode()
    parts = [b"S" + np.arange(4.0).tobytes(), b"L" + (3).to_bytes(8, "little"), b"E\nx\ny"]

    def read(data: bytes) -> object:
        with _already_sent(onnx_process, data):
            process = OnnxProcess(b"model", OnnxLimits())
            process.start()
            return process.scores(np.zeros((1, 1, 2, 2), np.float32), 60.0)

    def make(random: Random) -> bytes:
        first = declared if random.random() < 0.8 else b"R" + change_json(declared[1:], random)
        return frames(first, random.choice(parts))

    return Kind("process: scores", mixed(make, _unchanged), read, (NoReplyError,))


def weights_kind() -> Kind:
    """Scores of weights."""
    model = build_model("dense", shape=(1, 4, 4), class_count=2, mean=[0.5], std=[0.25])
    images = np.zeros((3, 1, 4, 4), np.uint8)
    scores = np.arange(6.0).tobytes()

    question = (config_json(model.config), weight_bytes(model))

    def read() -> object:
        with patch.object(limited_weights, "_frames", lambda _: question):
            found = limited_weights.limited_scores(model, images, Preprocessing(), OnnxLimits())
        assert found.shape == (3, 2)
        return found

    return _kind("weights' scores", Sent({}, lambda _: scores), read)


def weight_files_kind() -> Kind:
    """Files of weights that a process asks for, in a folder with links, folders and a pipe."""
    place = folder() / "parts"
    outside = folder() / "outside"
    for made in (place / "folder", outside):
        made.mkdir(parents=True, exist_ok=True)
    for name in ("a.bin", "b.bin"):
        (place / name).write_bytes(name.encode())
        (outside / name).write_bytes(b"what nobody may read")
    (place / "link").symlink_to(outside / "a.bin")
    (place / "linked").symlink_to(outside)
    os.mkfifo(place / "pipe")
    good = [("a.bin",), ("a.bin", "b.bin"), ("b.bin",)]
    allowed = {onnx_digest(_MENTIONED, {name: name.encode() for name in names}) for names in good}
    allowed.add(onnx_digest(_MENTIONED, None))

    def make(random: Random) -> bytes:
        names = random.choice(good)
        if random.random() < 0.6:
            names = random.choice(list(combinations(sorted(_NAMES), random.choice([1, 1, 2]))))
        text = json.dumps(names).encode()
        if random.random() < 0.3:
            text = change_json(text, random)
        return frames(b"P" + text, b"Ma merged model")

    def read(path: Path) -> object:
        data = path.read_bytes()
        path.write_bytes(_MENTIONED)
        with _already_sent(onnx_process, data):
            _, digest = read_whole(path)
        assert digest in allowed
        return digest

    return Kind("process: files of weights", mixed(make, _unchanged),
                from_disk("parts/model.onnx", read),
                (SuspectUnusable, CouldNotCheck, Malformed))  # fmt: skip


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [result_kind(), scores_kind(), *network_kinds(), weights_kind(), weight_files_kind()]
