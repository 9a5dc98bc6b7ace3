"""Optional libraries and the extras of the package that install them.

The base install judges, commits and opens. Training, zero-knowledge proofs and evaluation need
larger libraries, which ``pip install 'zkwm[EXTRA]'`` adds; this module is the one place that says
which. Call ``require`` before the first import of such a library.

ONNX Runtime is in the base install, and by itself reports to its maker what it is used for, over
the network and in a folder of the user's: ``NO_TELEMETRY`` forbids that.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from zkwm_protocols.errors import UsageError

EXTRAS = {
    "torch": "train",
    "safetensors": "train",
    "scipy": "train",
    "onnxscript": "train",
    "numba": "prove",
    "matplotlib": "evaluate",
    "ray": "distributed",
    "sqlalchemy": "marketplace",
    "psycopg": "marketplace",
    "alembic": "registry",
    "fastapi": "registry",
    "uvicorn": "registry",
    "pkcs11": "pkcs11",
    "keyring": "keyring",
}
"""The extra that installs a library, by the library's import name."""

_PURPOSES = {
    "train": "training, or reading weights of built-in architectures and marks in weights,",
    "prove": "a zero-knowledge argument",
    "evaluate": "evaluation",
    "distributed": "running on many machines",
    "marketplace": "a marketplace's database",
    "registry": "the registry's service",
    "pkcs11": "a key in a hardware token",
    "keyring": "a passphrase from the system's keyring",
}

FRAMEWORKS = {"lightning": "lightning", "transformers": "'transformers[torch]'"}
"""What installs the framework that a callback is for, by its import name; no extra brings one."""


NO_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1"}
"""The environment in which ONNX Runtime, from 1.32, reports nothing; it looks when it is loaded."""


def silent_onnxruntime() -> Any:  # noqa: ANN401
    """The module ``onnxruntime``, loaded without its telemetry; the environment stays as it was."""
    before = {name: os.environ.get(name) for name in NO_TELEMETRY}
    os.environ.update(NO_TELEMETRY)
    try:
        return import_module("onnxruntime")
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def require(*libraries: str) -> None:
    """Import optional libraries by name. Raises UsageError for a missing one, naming its extra."""
    for library in libraries:
        try:
            import_module(library)
        except ModuleNotFoundError as error:
            raise missing_extra(error) or error from None


def missing_extra(error: ModuleNotFoundError) -> UsageError | None:
    """The error to raise instead of a failed import of an optional library, None for others."""
    library = (error.name or "").partition(".")[0]
    if library in FRAMEWORKS:
        return UsageError(
            f"this callback is for {library}, which is not installed",
            hint=f"pip install {FRAMEWORKS[library]}",
        )
    extra = EXTRAS.get(library)
    if extra is None:
        return None
    return UsageError(
        f"{_PURPOSES[extra]} needs {library}, which is not installed",
        hint=f"pip install 'zkwm[{extra}]'",
    )
