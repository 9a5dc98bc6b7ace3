"""The cache of a grid: results and models by the digest of everything that determines them.

A folder of JSON results and marked models, each written whole or not at all, so that several
processes can use it at once and an interrupted run leaves nothing half-written.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkwm.files import read_limited, write_atomic
from zkwm.training.versions import versions
from zkwm_protocols.errors import CouldNotCheck, Malformed

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier

RESULT_LIMIT = 64 * 2**20
PACKAGES = ("zkwm", "torch")
INTERFACES = (
    "abc", "builtins", "zkwm.attacks.attack", "zkwm.attacks.false_claims.claim",
    "zkwm.watermarks.watermark",
)  # fmt: skip
"""Modules that a source digest leaves out."""


def digest_of(values: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of JSON values in canonical form and of ``package_versions``."""
    described = {"versions": package_versions(), **values}
    text = json.dumps(described, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1)
def package_versions() -> dict[str, str]:
    """Python, zkwm and torch: the versions that a result is bound to."""
    return versions(PACKAGES)


def source_digest(scheme: type[Any]) -> str:
    """SHA-256, in hex, of the files that define a class and its bases.

    So a scheme or an attack whose file changed is measured again. The common interfaces and what
    those files import are not covered: a new version of zkwm covers them.
    """
    return files_digest(*(base for base in scheme.__mro__ if base.__module__ not in INTERFACES))


def files_digest(*defined: Callable[..., Any]) -> str:
    """SHA-256, in hex, of the files that define some classes or functions."""
    names = sorted(map(inspect.getfile, defined))
    return sha256(b"".join(Path(name).read_bytes() for name in names)).hexdigest()


class Cache:
    """The cache in an experiment's folder, which is made when something is written."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def exists(self, digest: str) -> bool:
        """Whether there is a result, including an error."""
        return self._path(digest).exists()

    def has(self, digest: str) -> bool:
        """Whether there is a result that is no error."""
        value = self.result(digest)
        return value is not None and not value.get("error")

    def result(self, digest: str) -> dict[str, Any] | None:
        """The result of a digest, or None. Raises Malformed for a file that is damaged."""
        path = self._path(digest)
        if not path.exists():
            return None
        try:
            value = json.loads(read_limited(path, RESULT_LIMIT))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise Malformed(f"{path} is damaged", hint="remove it; it will be measured again")
        return value

    def put(self, digest: str, value: Mapping[str, Any]) -> None:
        """Store a result (JSON values), replacing an earlier one."""
        path = self._path(digest)
        _make_folder(path.parent)
        write_atomic(path, json.dumps(value, allow_nan=False).encode() + b"\n", overwrite=True)

    def model(self, digest: str) -> Classifier | None:
        """The trained network of a digest, on the CPU in evaluation mode, or None."""
        from zkwm.nn.model_file import CONFIG, load_model

        folder = self.folder / "models" / digest
        return load_model(folder) if (folder / CONFIG).exists() else None

    def put_model(self, digest: str, model: Classifier) -> None:
        """Store a network as safetensors and config.json."""
        from zkwm.nn.model_file import save_classifier

        folder = self.folder / "models" / digest
        _make_folder(folder)
        save_classifier(folder, model)

    def secrets(self, digest: str) -> Path:
        """The folder of a mark's commitment and throwaway vault."""
        folder = self.folder / "marks" / digest
        _make_folder(folder)
        return folder

    def _path(self, digest: str) -> Path:
        """The file of a result."""
        return self.folder / "cache" / digest[:2] / f"{digest}.json"


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents. Raises CouldNotCheck."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CouldNotCheck(f"cannot make the folder {folder}: {error.strerror}") from None
