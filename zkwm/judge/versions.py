"""What ran a verification: zkwm with its commit, the libraries that computed, the machine.

Another machine may round another way, and another version may decide another way: whoever repeats a
check has to know. Nothing here is imported for it: versions are those of the installed packages.
"""

from __future__ import annotations

import platform
import re
from importlib import metadata
from pathlib import Path

import numpy as np

from zkwm_protocols.challenge import Challenge, Mode
from zkwm_protocols.suspect_identity import SuspectKind

_ALWAYS = ("cbor2", "cryptography", "pynacl")
_BY_KIND = {
    SuspectKind.ONNX: ("onnxruntime",),
    SuspectKind.SAFETENSORS: ("torch",),
    SuspectKind.EXTRACTION: ("torch",),
    SuspectKind.HTTP: ("urllib3",),
}
_COMMIT = re.compile(r"\+g([0-9a-f]{7,40})(?![0-9a-f])")
_CPU_LIST = Path("/proc/cpuinfo")
_CPU_LIST_BYTES = 1 << 16
_LONGEST = 200


def used_versions(challenge: Challenge | None) -> dict[str, str]:
    """The software that decided and computed the suspect's answers, system and processor, by name.

    An endpoint computes its answers itself, by software that nobody here knows. ``commit`` is there
    where zkwm's version is that of a commit between releases.
    """
    own = metadata.version("zkwm")
    commit = _COMMIT.search(own)
    used = {
        "zkwm": own,
        **({"commit": commit[1]} if commit else {}),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    packages = list(_ALWAYS)
    if challenge is not None:
        packages += _BY_KIND.get(SuspectKind(challenge.suspect.kind), ())
        if challenge.mode == Mode.ARGUMENT:
            packages.append("onnx")
    used |= {name: metadata.version(name) for name in packages}
    return used | {"system": _system(), "processor": _processor()}


def _system() -> str:
    """Name, release and architecture of the operating system."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"[:_LONGEST]


def _processor() -> str:
    """The processor's name where the system tells it, else its architecture."""
    try:
        with _CPU_LIST.open("rb") as file:
            text = file.read(_CPU_LIST_BYTES).decode("ascii", "replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(\S.*)$", text, re.MULTILINE)
    return (found[1].strip() if found else platform.machine())[:_LONGEST] or "not known"
