"""Optional libraries and the extras of the package that install them.

The base install judges, commits and opens. Training, zero-knowledge proofs and evaluation need
larger libraries, which ``pip install 'zkwm[EXTRA]'`` adds; this module is the one place that says
which. Call ``require`` before the first import of such a library.
"""

from __future__ import annotations

from importlib import import_module

from zkwm_protocols.errors import UsageError

EXTRAS = {
    "torch": "train",
    "safetensors": "train",
    "scipy": "train",
    "onnxscript": "train",
    "numba": "prove",
    "matplotlib": "evaluate",
    "ray": "ray",
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
    "train": "training, weights of built-in architectures and marks in weights",
    "prove": "a zero-knowledge argument",
    "evaluate": "evaluation",
    "ray": "running on many machines",
    "marketplace": "a marketplace's database",
    "registry": "the registry's service",
    "pkcs11": "a key in a hardware token",
    "keyring": "a passphrase from the system's keyring",
}

FRAMEWORKS = {"lightning": "lightning", "transformers": "'transformers[torch]'"}
"""What installs the framework that a callback is for, by its import name; no extra brings one."""


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
