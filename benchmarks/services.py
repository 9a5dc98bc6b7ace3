"""The adapters for endpoints beside the real servers that PyPI has: MLServer, Triton, TorchServe.

Each server is installed into .venv-services, an environment of its own, and serves a small network
on 127.0.0.1. zkwm's adapter asks it random images; the same network on the same images, computed
here, is what the answers have to be. Prints one JSON line for each server, and fails where a label
differs. TorchServe runs its own handler for classifiers, with all names, the best five, and numbers
alone, and needs Java 17 (Debian: openjdk-17-jre-headless).

    python benchmarks/services.py [--servers mlserver triton torchserve]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import service_models
import torch
from numpy.typing import NDArray
from service_models import CLASSES, NAMES, ROWS

import zkwm
from zkwm_protocols.suspect_identity import Preprocessing

ROOT = Path(__file__).parent.parent
VENVS = ROOT / ".venv-services"
RESULTS = Path(__file__).parent / "results" / "services.jsonl"
PACKAGES = {
    "mlserver": ("mlserver==1.7.1", "onnxruntime"),
    "triton": ("nvidia-pytriton==0.7.0", "onnxruntime"),
    "torchserve": (
        *("torchserve==0.12.0", "torch-model-archiver==0.12.0", "torch==2.13.0"),
        *("torchvision==0.28.0", "captum", "setuptools<81", "pyyaml", "requests"),
    ),
}
IMAGES = 20
PATIENCE_SECONDS = 300


def install(server: str) -> Path:
    """The environment of a server, made where it is not there."""
    folder = VENVS / server
    if not (folder / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "pip", "install", "-q", *PACKAGES[server]], check=True)
    return folder


@contextmanager
def running(
    command: list[str], folder: Path, ready: str, environment: dict[str, str]
) -> Iterator[None]:
    """A server process, ended with its children, once ``ready`` answers with status 200."""
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, **environment},
    )
    try:
        _await(process, ready, folder / "server.log")
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def _await(process: subprocess.Popen[bytes], ready: str, log: Path) -> None:
    """Wait for the server. Raises RuntimeError where it ends, or is not ready in time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(ready, timeout=5) as reply:
                if reply.status == 200:
                    return
        except OSError:
            time.sleep(1)
    raise RuntimeError(log.read_text(errors="replace")[-3000:])


def asked(
    url: str,
    adapter: str,
    images: NDArray[np.uint8],
    wanted: NDArray[np.float64],
    outputs: int | None = None,
    output_names: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """What the adapter reads of ``images`` uint8 (n, c, h, w); ``wanted`` (n, classes) is right."""
    suspect = zkwm.open_suspect(
        url,
        shape=images.shape[1:],
        adapter=adapter,
        outputs=outputs,
        output_names=output_names,
    )
    answers = suspect.answer(images, Preprocessing())
    suspect.close()
    labels = [one.output for one in answers]
    scored = [
        (one.scores, row)
        for one, row in zip(answers, wanted, strict=True)
        if one.scores is not None
    ]
    return {
        "images": len(images),
        "same_label": int((np.array(labels) == wanted.argmax(1)).sum()),
        "with_scores": len(scored),
        "largest_difference": max((float(np.abs(a - b).max()) for a, b in scored), default=None),
    }


def mlserver(folder: Path, venv: Path) -> Iterator[dict[str, Any]]:
    """MLServer with a runtime of ONNX Runtime."""
    network = service_models.dense(folder)
    service_models.write_mlserver(folder)
    ready = "http://127.0.0.1:18081/v2/health/ready"
    with running([str(venv / "bin" / "mlserver"), "start", "."], folder, ready, {}):
        url = "http://127.0.0.1:18081/v2/models/model"
        images, wanted = _rows(network)
        yield asked(url, "kserve", images, wanted)


def triton(folder: Path, venv: Path) -> Iterator[dict[str, Any]]:
    """NVIDIA's Triton, of PyTriton's wheel, with its Python backend and ONNX Runtime."""
    network = service_models.dense(folder)
    packages = next((venv / "lib").glob("python3.*")) / "site-packages"
    command = service_models.write_triton(folder, packages)
    environment = {
        "PYTHONPATH": str(packages),
        "LD_LIBRARY_PATH": str(packages / "nvidia_pytriton.libs"),
    }
    ready = "http://127.0.0.1:18091/v2/health/ready"
    with running(command, folder, ready, environment):
        images, wanted = _rows(network)
        for version in ("", "/versions/1"):
            url = f"http://127.0.0.1:18091/v2/models/model{version}"
            yield {"url": f"model{version}", **asked(url, "kserve", images, wanted)}


def torchserve(folder: Path, venv: Path) -> Iterator[dict[str, Any]]:
    """TorchServe with its own handler: names of all ten, the best five, numbers alone."""
    network = service_models.picture_network()
    service_models.write_torchserve(folder, venv, network)
    names = tuple(NAMES[str(number)] for number in range(CLASSES))
    pictures = _random((3, 256, 256))
    with torch.no_grad():
        wanted = torch.softmax(network(service_models.torchserve_input(pictures)), 1).numpy()
    command = [str(venv / "bin" / "torchserve"), *service_models.TORCHSERVE]
    environment = {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    with running(command, folder, "http://127.0.0.1:18101/ping", environment):
        for model, options in (
            ("all", {"output_names": names}),
            ("best_five", {"output_names": names}),
            ("numbers", {"outputs": CLASSES}),
        ):
            url = f"http://127.0.0.1:18101/predictions/{model}"
            yield {"model": model, **asked(url, "torchserve", pictures, wanted, **options)}


SERVERS = {"mlserver": mlserver, "triton": triton, "torchserve": torchserve}


def _random(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Random images uint8 (n, c, h, w)."""
    return np.random.default_rng(1).integers(0, 256, (IMAGES, *shape), dtype=np.uint8)


def _rows(network: torch.nn.Module) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Random images, and the network's scores for them."""
    images = _random(ROWS)
    with torch.no_grad():
        return images, network(torch.tensor(images / 255).float()).numpy()


def main() -> None:
    """Ask each server, print and keep its lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", nargs="*", choices=list(SERVERS), default=list(SERVERS))
    servers = parser.parse_args().servers
    lines = []
    for server in servers:
        venv = install(server)
        with tempfile.TemporaryDirectory() as name:
            for found in SERVERS[server](Path(name), venv):
                line = {"server": server, "package": PACKAGES[server][0], **found}
                print(json.dumps(line), flush=True)
                lines.append(line)
    if any(line["same_label"] != line["images"] for line in lines):
        raise SystemExit("an adapter reads another label than the network gives")
    kept = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    lines += [line for line in map(json.loads, kept) if line["server"] not in servers]
    lines.sort(key=lambda line: list(SERVERS).index(line["server"]))
    RESULTS.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
