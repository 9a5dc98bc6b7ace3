"""Services on 127.0.0.1 that speak published protocols, each written from its specification.

A service answers from a function of the pixels; what it sends and demands is what the documents
cited in ``zkwm/suspects/http_*.py`` say, so that a test of the two together is one of the contract.
"""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

Scores = Callable[[np.ndarray], Sequence[float]]
"""Scores of one image uint8 (c, h, w)."""

Route = Callable[[BaseHTTPRequestHandler, bytes], Any]
"""Gets a request and its body; returns the JSON of a reply, its bytes, or (status, JSON)."""


@dataclass
class Service:
    """A running service: where it is, and what it was sent."""

    url: str
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)


@contextmanager
def serving(route: Route, path: str = "") -> Iterator[Service]:
    """A service that answers GET and POST by ``route``; its URL ends in ``path``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a reply is two writes

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            service.requests.append((self.command, self.path, body))
            reply = route(self, body)
            status, value = reply if isinstance(reply, tuple) else (200, reply)
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service = Service(f"http://127.0.0.1:{server.server_port}{path}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def pixels_of(png: bytes) -> np.ndarray:
    """The pixels uint8 (c, h, w) of a PNG file."""
    picture = Image.open(io.BytesIO(png), formats=("PNG",))
    pixels = np.asarray(picture)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def kserve(
    scores: Scores,
    *,
    shape: tuple[int, ...],
    datatype: str = "FP32",
    decode: Callable[[np.ndarray], np.ndarray] = lambda values: np.rint(values * 255),
    reply: Callable[[list[float]], dict[str, Any]] | None = None,
    outputs: tuple[str, ...] = ("scores",),
) -> Route:
    """A model of the Open Inference Protocol: metadata by GET, inference by POST.

    Args:
        scores: of one image uint8 (c, h, w).
        shape: the declared shape of its input, -1 where it is open.
        datatype: of its input.
        decode: the tensor sent, float64 of that shape, as pixels (c, h, w).
        reply: the whole reply for a row of scores; by default one FP32 tensor (1, k).
        outputs: the names of its outputs.
    """

    def route(handler: BaseHTTPRequestHandler, body: bytes) -> Any:
        if handler.command == "GET":
            return {
                "name": "mymodel",
                "versions": ["1"],
                "platform": "onnxruntime_onnx",
                "inputs": [{"name": "input0", "datatype": datatype, "shape": list(shape)}],
                "outputs": [
                    {"name": name, "datatype": "FP32", "shape": [-1, 10]} for name in outputs
                ],
            }
        if not handler.path.endswith("/infer"):
            return 404, {"error": "no such resource"}
        request = json.loads(body)
        (tensor,) = request["inputs"]
        sizes = tensor["shape"]
        fits = len(sizes) == len(shape) and all(
            one in (-1, size) for one, size in zip(shape, sizes, strict=True)
        )
        if tensor["name"] != "input0" or tensor["datatype"] != datatype or not fits:
            return 400, {"error": "unexpected input"}
        values = np.array(tensor["data"], np.float64).reshape(sizes)
        row = [float(score) for score in scores(decode(values).astype(np.uint8))]
        if reply is not None:
            return reply(row)
        name = request.get("outputs", [{"name": outputs[0]}])[0]["name"]
        output = {"name": name, "datatype": "FP32", "shape": [1, len(row)], "data": row}
        return {"model_name": "mymodel", "model_version": "1", "outputs": [output]}

    return route


def torchserve(
    scores: Scores, *, names: Sequence[str] | None = None, best: int | None = 5
) -> Route:
    """A model that TorchServe's default image classifier serves: the best classes as an object.

    Args:
        scores: of one image uint8 (c, h, w).
        names: those of ``index_to_name.json``, or None without one.
        best: how many classes it replies.
    """

    def route(handler: BaseHTTPRequestHandler, body: bytes) -> Any:
        if handler.command != "POST" or not handler.path.startswith("/predictions/"):
            return 404, {"code": 404, "type": "ModelNotFoundException", "message": "none"}
        row = scores(pixels_of(body))
        first = sorted(range(len(row)), key=lambda number: -row[number])[:best]
        return {
            (str(number) if names is None else names[number]): float(row[number])
            for number in first
        }

    return route


def huggingface(scores: Scores, *, names: Sequence[str], most: int | None = None) -> Route:
    """An image classification pipeline behind Hugging Face's inference API.

    Args:
        scores: of one image uint8 (c, h, w).
        names: the labels of its config.json, by number.
        most: the most classes that it replies, whatever is asked for.
    """

    def route(handler: BaseHTTPRequestHandler, body: bytes) -> Any:
        request = json.loads(body)
        best = request.get("parameters", {}).get("top_k", 5)
        row = scores(pixels_of(base64.b64decode(request["inputs"])))
        listed = [
            {"label": name, "score": float(score)} for name, score in zip(names, row, strict=True)
        ]
        listed.sort(key=lambda entry: -entry["score"])
        return listed[: min(best, most or best)]

    return route
