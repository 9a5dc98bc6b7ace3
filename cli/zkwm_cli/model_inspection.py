"""What a suspect's own files say without a secret: above all the digest that a challenge names.

A report can be checked again only by whoever can compute it (SPEC.md 4.3). Foreign graphs are
parsed in the limited process alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkwm.data.class_names import names_beside
from zkwm.extras import require
from zkwm_cli.inspection import Inspection
from zkwm_protocols.errors import ZkwmError

if TYPE_CHECKING:
    from zkwm.quantizer.onnx_description import ArgumentOutlook, OnnxDescription, OnnxValue

_ADVICE = "the digest is that of the suspect in a challenge, a verdict and a report"
_MOST_ROWS = 20
"""So many nodes in the way of an argument are shown to people; --json has all."""


def is_model(name: str) -> bool:
    """Whether this names a suspect in files: an .onnx file, .safetensors, or a folder with it."""
    return Path(name).is_dir() or Path(name).suffix.lower() in (".onnx", ".safetensors")


def inspect_model(name: str) -> Inspection:
    """Digest, inputs, outputs, layers, names of classes, and whether an argument is possible.

    Raises CouldNotCheck, Malformed or SuspectUnusable for files that cannot be read, UsageError
    where an extra of the package is missing.
    """
    from zkwm.suspects.model_digests import WEIGHTS, model_files

    path = Path(name)
    if path.suffix.lower() == ".onnx" and not path.is_dir():
        return _onnx(path)
    graphs = [file for file in model_files(path) if file.suffix.lower() == ".onnx"]
    if path.is_dir() and graphs and not (path / WEIGHTS).exists():
        return _with_graphs(_onnx(graphs[0]), graphs[1:])
    try:
        return _with_graphs(_safetensors(path), graphs)
    except ZkwmError as error:
        if not graphs:
            raise
        return _with_graphs(_onnx(graphs[0]), graphs[1:], f"{WEIGHTS} was not read: {error}")


def _onnx(path: Path) -> Inspection:
    """An ONNX file, whose weights may be in other files beside it."""
    from zkwm.files import read_limited
    from zkwm.quantizer.limited_description import describe_limited
    from zkwm.suspects.onnx_parts import FILE_LIMIT, read_whole

    whole, digest = read_whole(path)
    names = names_beside(path)
    data = read_limited(path, FILE_LIMIT)
    described: dict[str, Any] = {}
    rows: list[tuple[str, str]] = []
    failure = None
    try:
        description = describe_limited(whole)
    except ZkwmError as error:
        failure = error
    else:
        described = description.to_json()
        rows = _graph_rows(description)
    fields = {
        "file": path.name,
        "digest": digest.hex(),
        "class_names": None if names is None else list(names),
        **described,
    }
    shown = [("file", path.name), ("digest", digest.hex()), _names_row(names), *rows]
    sha256 = hashlib.sha256(data).digest()
    return Inspection("onnx", sha256, len(data), fields, {}, failure, _ADVICE, shown)


def _safetensors(path: Path) -> Inspection:
    """Weights of a built-in architecture with the config.json beside them."""
    require("torch", "safetensors")
    from zkwm.files import read_limited
    from zkwm.nn.model_file import load_model
    from zkwm.suspects.model_digests import WEIGHTS
    from zkwm.suspects.onnx_parts import FILE_LIMIT
    from zkwm.suspects.safetensors_suspect import architecture_digest
    from zkwm.suspects.suspect import no_network_file

    model = load_model(path)
    data = read_limited(path / WEIGHTS if path.is_dir() else path, FILE_LIMIT)
    layers = Counter(
        type(layer).__name__ for layer in model.modules() if not list(layer.children())
    )
    refusal = no_network_file("safetensors")
    fields: dict[str, Any] = {
        "digest": architecture_digest(model).hex(),
        "architecture": model.config.architecture,
        "shape": list(model.config.shape),
        "classes": model.config.class_count,
        "layers": dict(layers.most_common()),
        "parameters": sum(values.numel() for values in model.parameters()),
        "arguments": [{"output": "", "possible": False, "refusals": [refusal.message]}],
    }
    shown = [
        ("digest", fields["digest"]),
        ("architecture", model.config.architecture),
        ("images", " x ".join(map(str, model.config.shape))),
        ("classes", str(model.config.class_count)),
        ("layers", _counts(layers)),
        ("parameters", f"{fields['parameters']:,}"),
        ("argument", f"{refusal.message}; {refusal.hint}"),
    ]
    sha256 = hashlib.sha256(data).digest()
    return Inspection("safetensors", sha256, len(data), fields, {}, None, _ADVICE, shown)


def _with_graphs(first: Inspection, graphs: list[Path], problem: str = "") -> Inspection:
    """The inspection of a folder: its first model, and every other ONNX file in it."""
    others = [_onnx(path) for path in graphs]
    shown = [*first.shown, *([("not read", problem)] if problem else [])]
    for other in others:
        shown += [("", ""), *other.shown]
    failure = next((i.failure for i in (first, *others) if i.failure is not None), None)
    fields = {
        **first.fields,
        **({"onnx": [other.fields for other in others]} if others else {}),
        **({"not_read": problem} if problem else {}),
    }
    return replace(first, fields=fields, shown=shown, failure=failure)


def _graph_rows(description: OnnxDescription) -> list[tuple[str, str]]:
    """The description for people."""
    rows = [("input", _value(item)) for item in description.inputs]
    rows += [("output", _value(item)) for item in description.outputs]
    rows += [
        ("operators", _counts(description.operators)),
        ("parameters", f"{description.parameters:,}"),
    ]
    for outlook in description.arguments:
        rows += _outlook_rows(outlook, several=len(description.arguments) > 1)
    return rows


def _outlook_rows(outlook: ArgumentOutlook, *, several: bool) -> list[tuple[str, str]]:
    """Whether an argument about one output is possible, and what is in its way."""
    name = f"argument ({outlook.output})" if several else "argument"
    if outlook.possible:
        words = "possible, as far as its operations go; zkwm quantize compares it with the model"
        return [(name, words)]
    if outlook.possible is None:
        return [(name, "its images' size is open; zkwm quantize --shape C,H,W tells")]
    rows = [(name, "not possible; zkwm challenge --reveal asks the model itself")]
    rows += [("  in the way", text) for text in outlook.refusals[:_MOST_ROWS]]
    more = len(outlook.refusals) - _MOST_ROWS
    return [*rows, ("  in the way", f"and {more:,} more (--json)")] if more > 0 else rows


def _names_row(names: tuple[str, ...] | None) -> tuple[str, str]:
    """The names of the classes, where the files tell them."""
    return "class names", "not in its files" if names is None else ", ".join(names)


def _value(item: OnnxValue) -> str:
    """An input or output: name, type and dimensions."""
    return f"{item.name}: {item.type} {' x '.join(map(str, item.shape)) or 'scalar'}"


def _counts(counts: Mapping[str, int]) -> str:
    """Names with their numbers, the most frequent first."""
    return ", ".join(f"{name} {number}" for name, number in counts.items())
