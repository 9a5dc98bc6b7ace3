"""Replies: of an endpoint, of the processes that handle foreign files."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
from random import Random
from typing import Any

import numpy as np

from tests.fuzz.byte_changes import chosen, headed, mixed
from tests.fuzz.harness import Kind
from tests.fuzz.text_changes import change_json, change_lines
from zkwm.suspects.http_suspect import HttpSuspect
from zkwm.suspects.limits import HttpSettings
from zkwm.suspects.onnx_frames import FrameError, read_frame
from zkwm.suspects.onnx_process import NoReplyError, read_declared, read_names
from zkwm.suspects.suspect import Answer
from zkwm_protocols.suspect_identity import Preprocessing

_BODIES = [b'{"scores": [0.1, 2, -3e2, 4]}', b'{"label": 3}']
_HEADERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n%s",
    b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: %d\r\n\r\n%s",
    b"HTTP/1.0 200 OK\r\nX: %d\r\n\r\n%s",
]
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
_OUTPUTS = 4
_SHAPE = (1, 2, 2)
_FRAME_LIMIT = 1 << 16
_PATIENCE = 5.0


class NoAnswerError(Exception):
    """The suspect's answer is a problem, in words."""


class Endpoint:
    """A server on the loopback that answers each connection with the bytes it was given last."""

    def __init__(self) -> None:
        self.reply = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def answer(self, reply: bytes) -> Answer:
        """The answer of a suspect at this endpoint to one image, when it replies so."""
        self.reply = reply
        settings = HttpSettings(attempts=1, request_seconds=5, reply_bytes=4096)
        suspect = HttpSuspect(
            self.url, shape=_SHAPE, outputs=_OUTPUTS, headers={}, settings=settings
        )
        try:
            return suspect.answer(np.zeros((1, *_SHAPE), np.uint8), Preprocessing())[0]
        finally:
            suspect.close()

    def _serve(self) -> None:
        while True:
            opened, _ = self._listener.accept()
            opened.settimeout(_PATIENCE)
            with opened, contextlib.suppress(OSError):
                received = b""
                while not received.endswith(b"}"):
                    piece = opened.recv(65_536)
                    if not piece:  # whoever asked has hung up
                        break
                    received += piece
                opened.sendall(self.reply)


def endpoint_kind() -> Kind:
    """All bytes that an endpoint sends: status, headers, body."""
    started: list[Endpoint] = []

    def read(data: bytes) -> object:
        if not started:
            started.append(Endpoint())
        found = started[0].answer(data)
        if found.output is None:
            raise NoAnswerError(found.problem)
        return found

    def valid(random: Random) -> bytes:
        body = random.choice(_BODIES)
        if random.random() < 0.5:
            body = change_json(body, random)
        if random.random() < 0.2:
            return _CHUNKED % (len(body), body)
        return random.choice(_HEADERS) % (len(body), body)

    return Kind("endpoint's reply", mixed(valid, change_lines), read, (NoAnswerError,))


def process_kinds() -> list[Kind]:
    """What the process sends that runs a foreign file."""
    fields = {"dtype": "float32", "shape": [None, 1, 4, 4], "moved": 0, "left": 0}
    declared = b"R" + json.dumps(fields).encode()
    names = b"P" + json.dumps(["a.bin", "b.bin"]).encode()
    parts = [b"S" + np.arange(4.0).tobytes(), b"L" + (3).to_bytes(8, "little"), b"E\nx\ny", b""]

    def kept(data: bytes, random: Random) -> bytes:
        return data[:1] + change_json(data[1:], random)

    def framed(random: Random) -> bytes:
        sent = [random.choice(parts) for _ in range(random.randint(1, 3))]
        return b"".join(len(part).to_bytes(8, "big") + part for part in sent)

    def frames(data: bytes) -> object:
        stream, read = io.BytesIO(data), []
        while stream.tell() < len(data):
            read.append(read_frame(stream, _FRAME_LIMIT))
        return read

    def again(read: Any) -> bytes:
        return b"".join(len(part).to_bytes(8, "big") + part for part in read)

    return [
        Kind("process: input", mixed(chosen([declared]), kept), read_declared, (NoReplyError,)),
        Kind("process: files", mixed(chosen([names]), kept), read_names, (NoReplyError,)),
        Kind("process: frames", mixed(framed, headed(kept)), frames, (FrameError,), again=again),
    ]


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [endpoint_kind(), *process_kinds()]
