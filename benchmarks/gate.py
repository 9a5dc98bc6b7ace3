"""How close suspects and their integer networks are, and whether a judge would go on (SPEC 18.1).

One JSON line for each file of a folder (``gate_suspects.py`` makes honest ones), and for each twin
of ``tests/support`` (files whose integer network was another function once); a "mistaken" one has
the network that it had then. Every suspect is measured in a process of its own; the peak is that
of this process, without those that quantize and that run the file:

    python benchmarks/gate.py --suspects /tmp/gate-suspects --output benchmarks/results/gate.jsonl

A suspect that the output has a line for is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import measure
import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.support import inflated_twins, twins  # noqa: E402
from zkwm.data.bundled import load_bundled  # noqa: E402
from zkwm.quantizer import derive, facts, measure_agreement, public_images  # noqa: E402
from zkwm.quantizer.agreement_bounds import require_agreement, require_translation  # noqa: E402
from zkwm.quantizer.derive import network_of  # noqa: E402
from zkwm.quantizer.network_agreement import drawn_sets  # noqa: E402
from zkwm.suspects import open_suspect  # noqa: E402
from zkwm.triggers.families import generate  # noqa: E402
from zkwm_protocols.errors import SuspectUnusable, ZkwmError  # noqa: E402
from zkwm_protocols.integer_network.evaluate import labels  # noqa: E402
from zkwm_protocols.suspect_identity import Preprocessing  # noqa: E402

SHAPE, CLASSES, TRIGGERS = (1, 28, 28), 10, 100
Images = np.ndarray[Any, np.dtype[np.uint8]]


def main() -> None:
    """Measure what has no line yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suspects", type=Path, help="a folder of ONNX files, each with a .json")
    parser.add_argument("--output", type=Path, help="a file of JSON lines")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one)
        return
    names = sorted(map(str, arguments.suspects.glob("*.onnx"))) if arguments.suspects else []
    names += ["marked", "clean", "E1", "E2", "P1"]
    names += [f"P1, {kind}" for kind in inflated_twins.KINDS]
    mistaken = ["E2", "P1", "P1, nearly everywhere", "P1, off triggers"]
    mistaken += [f"{twin}, {kind}" for twin in ("P1", "E2") for kind in inflated_twins.KINDS]
    names += [f"mistaken {name}" for name in mistaken]
    done = {line["suspect"] for line in measure.lines(arguments.output)} if arguments.output else ()
    for name in names:
        if Path(name).stem in done:
            continue
        command = [sys.executable, __file__, "--one", name]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(printed, end="", flush=True)
        if arguments.output:
            measure.append(arguments.output, json.loads(printed.splitlines()[-1]))


def one(name: str) -> None:
    """Print the line of a file or a twin."""
    path = Path(name)
    if path.suffix == ".onnx":
        known = json.loads(path.with_suffix(".json").read_text())
        about = {"accuracy": known["accuracy"], "honest": True}
        figures = measured(
            path, tuple(known["shape"]), known["layout"], known.get("output", ""), None
        )
        measure.report("gate", suspect=path.stem, commit=commit(), **about, **figures)
        return
    made = generate("secret", TRIGGERS, SHAPE, key=bytes(32), block_size=25)
    wanted = np.random.default_rng(2).integers(0, CLASSES, TRIGGERS)
    called = name.removeprefix("mistaken ")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        file, seen = twin(called, made.images, wanted)
        path.write_bytes(file)
        if called != name:
            right = derive._quantized
            derive._quantized = lambda _, *others: right(seen, *others)
        figures = measured(path, SHAPE, "nchw", "", (made.images, wanted))
    about = {"honest": name in ("marked", "clean")}
    measure.report("gate", suspect=name, commit=commit(), **about, **figures)


def commit() -> str:
    """The commit that is measured, short."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def twin(name: str, triggers: Images, wanted: np.ndarray[Any, Any]) -> tuple[bytes, bytes]:
    """A marked or clean dense model or a twin of the two, and what a mistaken quantizer reads."""
    data = load_bundled()
    images, classes = data.train_images[:600], data.train_labels[:600]
    marked = twins.dense_model(
        np.concatenate([images, *[triggers] * 3]), np.concatenate([classes, *[wanted] * 3]), CLASSES
    )
    clean = twins.dense_model(images, classes, CLASSES)
    known = public_images(SHAPE, 400, test=True)
    base, _, kind = name.partition(", ")
    if base in ("marked", "clean", "E1"):
        made = {"marked": marked, "clean": clean, "E1": twins.linear_cover(marked, known)}[base]
        return made, made
    computed, shown = (marked, clean) if base == "E2" else (clean, marked)
    both = (
        twins.network_cover(computed, shown, known), twins.seen(computed, shown, known)
    )  # fmt: skip
    expected = np.concatenate(list(drawn_sets(SHAPE, bytes(32), bytes(32)).values()))

    def changed(data: bytes) -> bytes:
        if kind == "nearly everywhere":
            return inflated_twins.winning_nearly_everywhere(data, expected, 0.04)
        if kind == "off triggers":
            return inflated_twins.winning_off_triggers(data, marked, triggers, expected)
        return inflated_twins.inflated(data, kind, expected) if kind else data

    return changed(both[0]), changed(both[1])


def measured(
    path: Path,
    shape: tuple[int, int, int],
    layout: Any,  # noqa: ANN401
    output: str,
    triggers: tuple[Images, np.ndarray[Any, Any]] | None,
) -> dict[str, Any]:
    """What a judge measures of a file, and the error with which they refuse it, if any.

    With triggers and their labels, also how many of them the file and its network match.
    """
    preprocessing = Preprocessing(layout=layout)
    nonce = hashlib.sha256(path.name.encode()).digest()
    started = time.perf_counter()
    result: dict[str, Any] = {}
    with closing(open_suspect(path, shape=shape, output=output)) as suspect:
        try:
            network = network_of(suspect, preprocessing)
        except ZkwmError as error:
            return {"refused": error.check or "challenge.network", "reason": error.message}
        result["quantize_seconds"] = round(time.perf_counter() - started, 2)
        result["lookups_per_image"] = facts(network)["lookups_per_image"]
        started = time.perf_counter()
        agreements = measure_agreement(
            network, suspect, preprocessing, nonce=nonce, class_map=tuple(range(CLASSES))
        )
        result["measure_seconds"] = round(time.perf_counter() - started, 2)
        if triggers is not None:
            images, wanted = triggers
            given = [answer.output for answer in suspect.answer(images, preprocessing)]
            result["file_matches"] = int((np.array(given) == wanted).sum())
            result["network_matches"] = int((labels(network, images) == wanted).sum())
    result["agreement"] = [one.to_json() for one in agreements]
    result["refused"], result["reason"] = None, ""
    try:
        require_translation(agreements)
        require_agreement(agreements)
    except SuspectUnusable as error:
        result["refused"], result["reason"] = error.check, error.message
    return result


if __name__ == "__main__":
    main()
