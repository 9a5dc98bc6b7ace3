"""Open the suspect at a location: a URL, an ONNX file, or safetensors.

The location alone decides the kind: ``http(s)://``, ``*.onnx``, ``*.safetensors`` or a folder. Of a
folder, weights with a config.json are opened, else ``model.onnx``, which is all that others can ask
of a network of the owner's own. No content is sniffed and no pickle is ever opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from zkwm.extras import require
from zkwm.suspects.limits import ExtractionSettings, HttpProtocol, HttpSettings, OnnxLimits
from zkwm.suspects.suspect import Suspect
from zkwm_protocols.errors import SuspectUnusable, Unsupported, UsageError

_PICKLES = frozenset(
    (".bin", ".ckpt", ".joblib", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pth", ".tar")
)
_OTHER_FORMATS = frozenset(
    (".engine", ".h5", ".keras", ".mlmodel", ".ort", ".pb", ".pt2", ".tflite")
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_KINDS = (
    "a suspect is an .onnx file, .safetensors with its config.json, a folder with either, or an "
    "http(s):// URL"
)


def is_endpoint(location: str | Path) -> bool:
    """Whether a location is a URL: asking it would send images to somebody else."""
    return _SCHEME.match(str(location)) is not None


def open_suspect(
    location: str | Path,
    *,
    shape: tuple[int, int, int],
    outputs: int | None = None,
    headers: Mapping[str, str] | None = None,
    http: HttpSettings | None = None,
    onnx: OnnxLimits | None = None,
    extraction: ExtractionSettings | None = None,
    output: str = "",
    adapter: str = "",
    output_names: tuple[str, ...] | None = None,
) -> Suspect:
    """Open the suspect at ``location``.

    ::

        with zkwm.open_suspect("suspect.onnx", shape=(3, 32, 32)) as suspect:
            challenge = judge.challenge(commitment, suspect, reveal=50)

    A gray image is queried at once to count the outputs, unless their number or names are given for
    an endpoint, which are then believed.

    Args:
        location: a URL, or the path of an ONNX file, of .safetensors or of a folder with them.
        shape: (channels, height, width) of the images; with ``extraction`` that of a key, (1, 1,
            32).
        outputs: the expected number of outputs; None accepts any.
        headers: HTTP headers for an endpoint, for example for authentication.
        http: limits for an endpoint.
        onnx: limits for a file, ONNX or weights.
        extraction: read the bits of a mark from the suspect, weights of a built-in architecture,
            instead of its answers to images.
        output: the name of the output that is asked, of an ONNX file or by ``kserve``; empty for
            the only one.
        adapter: the protocol that an endpoint speaks: ``zkwm`` (where it is empty), ``kserve``,
            ``torchserve``, ``huggingface`` or ``template`` (SPEC.md 7.1).
        output_names: what the suspect calls its outputs, for an endpoint that answers by names.

    Raises UsageError for a location or options that do not fit together, and where an extra of the
    package is missing; Unsupported for formats that are never opened; CouldNotCheck or Malformed
    for unreadable files; SuspectUnusable (check ``suspect.answers``) for a model that cannot be
    queried or is no classifier of such images.
    """
    text = str(location)
    scheme = _SCHEME.match(text)
    if not scheme and extraction is None:
        location = _file_in(Path(location))
        text = str(location)
    if output and not scheme and not text.lower().endswith(".onnx"):
        raise UsageError("only outputs of an ONNX file, or of an endpoint, have names")
    if (adapter or (http is not None and http.template is not None)) and not scheme:
        raise UsageError(
            "protocols and templates are for endpoints, not for files",
            hint="leave `adapter` and `template` out",
        )
    if extraction is not None:
        require("torch", "safetensors", "scipy")
        from zkwm.suspects.extraction_suspect import ExtractionSuspect

        return ExtractionSuspect(
            Path(location), extraction, shape=shape, outputs=outputs, limits=onnx
        )
    if isinstance(location, str) and scheme:
        if scheme[1].lower() not in ("http", "https"):
            raise UsageError(f"a suspect cannot be queried over {scheme[1]}", hint=_KINDS)
        from zkwm.suspects.http_suspect import HttpSuspect

        return HttpSuspect(
            text,
            shape=shape,
            outputs=outputs,
            headers=headers or {},
            settings=http or HttpSettings(),
            protocol=HttpProtocol(adapter or "zkwm", output_names, output),
        )
    if headers:
        raise UsageError("headers are for endpoints, not for files")
    return _open_file(Path(location), shape, outputs, onnx or OnnxLimits(), output)


def _file_in(path: Path) -> Path:
    """``model.onnx`` of a folder without config.json; anything else stays what it is."""
    exported = path / "model.onnx"
    return exported if exported.is_file() and not (path / "config.json").exists() else path


def _open_file(
    path: Path,
    shape: tuple[int, int, int],
    outputs: int | None,
    limits: OnnxLimits,
    output: str,
) -> Suspect:
    """Open the suspect in a file or folder, by its suffix."""
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        from zkwm.suspects.onnx_suspect import OnnxSuspect

        return OnnxSuspect(path, shape=shape, outputs=outputs, limits=limits, output=output)
    if suffix == ".safetensors" or (path.is_dir() and (path / "model.safetensors").exists()):
        require("torch", "safetensors")
        from zkwm.suspects.safetensors_suspect import SafetensorsSuspect

        return SafetensorsSuspect(path, shape=shape, outputs=outputs, limits=limits)
    if suffix in _PICKLES:
        raise Unsupported(
            f"{path.name}: files that can hold pickles are never opened, they can run any program",
            hint="export the model to ONNX, or save a built-in architecture as safetensors",
        )
    if suffix in _OTHER_FORMATS:
        raise Unsupported(f"{path.name}: this format is not supported", hint=_KINDS)
    if not path.exists():
        raise SuspectUnusable(f"there is no {path}", hint=_KINDS)
    raise SuspectUnusable(f"{path} is not a suspect that zkwm can query", hint=_instead(path))


def _instead(path: Path) -> str:
    """What to give instead of a folder or file that is no suspect."""
    if path.is_dir():
        found = sorted(one for one in path.iterdir() if one.suffix.lower() == ".onnx")
        if found:
            return f"give the file in it, such as {found[0]}"
        return f"it holds neither an .onnx file nor model.safetensors; {_KINDS}"
    return _KINDS
