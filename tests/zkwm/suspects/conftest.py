"""Tiny ONNX files and tiny HTTP servers for the tests of ``zkwm.suspects``."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

SHAPE = (1, 2, 2)


@dataclass
class GraphFiles:
    """Writes ONNX files; images are 1 x 2 x 2 unless said otherwise."""

    folder: Path

    def save(
        self,
        nodes: list[onnx.NodeProto],
        tensors: dict[str, np.ndarray],
        *,
        input_type: int = TensorProto.FLOAT,
        input_shape: tuple[Any, ...] = ("batch", *SHAPE),
        inputs: tuple[str, ...] = ("x",),
        outputs: tuple[tuple[str, int, Any], ...] = (("y", TensorProto.FLOAT, ("batch", None)),),
        **save_options: Any,
    ) -> Path:
        graph = helper.make_graph(
            nodes,
            "suspect",
            [helper.make_tensor_value_info(name, input_type, input_shape) for name in inputs],
            [helper.make_tensor_value_info(*output) for output in outputs],
            [numpy_helper.from_array(array, name) for name, array in tensors.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        path = self.folder / "suspect.onnx"
        onnx.save_model(model, str(path), **save_options)
        return path

    def linear(self, weights: np.ndarray, **options: Any) -> Path:
        """Scores = pixels in their order of arrival times ``weights`` (4, k)."""
        return self.save(
            [
                helper.make_node("Flatten", ["x"], ["flat"]),
                helper.make_node("MatMul", ["flat", "w"], ["y"]),
            ],
            {"w": weights.astype(np.float32)},
            **options,
        )


@pytest.fixture
def graphs(tmp_path: Path) -> GraphFiles:
    return GraphFiles(tmp_path)


@dataclass
class Server:
    """A server on 127.0.0.1; ``reply`` gets the handler and the query, and sends what it likes."""

    url: str
    queries: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def drip(self, handler: BaseHTTPRequestHandler, data: bytes, pause: float) -> None:
        for byte in data:
            if self.stop.wait(pause):
                return
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()


Reply = Callable[[BaseHTTPRequestHandler, dict[str, Any]], Any]


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def serve() -> Iterator[Callable[[Reply], Server]]:
    """Start a server with a reply function; it may return a dict or bytes to be sent as 200."""
    running: list[tuple[ThreadingHTTPServer, Server, threading.Thread]] = []

    def start(reply: Reply) -> Server:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # a reply is two writes

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                query = json.loads(body)
                server.queries.append(query)
                server.headers.append(dict(self.headers))
                server.targets.append(self.path)
                try:
                    answer = reply(self, query)
                    if isinstance(answer, dict):
                        answer = json.dumps(answer).encode()
                    if isinstance(answer, bytes):
                        send(self, answer)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: Any) -> None:
                pass

        http = Quiet(("127.0.0.1", 0), Handler)
        server = Server(f"http://127.0.0.1:{http.server_port}/ask")
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        running.append((http, server, thread))
        return server

    yield start
    for http, server, thread in running:
        server.stop.set()
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture
def within() -> Callable[[float], Any]:
    """``with within(seconds):`` fails if the block takes longer."""

    class Within:
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        def __enter__(self) -> None:
            self.start = time.monotonic()

        def __exit__(self, kind: object, *_: object) -> None:
            if kind is None:
                assert time.monotonic() - self.start < self.seconds

    return Within
