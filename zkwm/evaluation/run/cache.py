"""What a grid has already measured and trained, by the digest of everything that determines it.

A folder with JSON results and marked models, written whole or not at all, so that several
processes can use it at once and a killed one leaves nothing half. Not a proof of anything.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
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


def digest_of(values: Mapping[str, Any]) -> str:
    """SHA-256 of plain values in canonical JSON, as hex; with the versions that matter."""
    described = {"versions": package_versions(), **values}
    text = json.dumps(described, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1)
def package_versions() -> dict[str, str]:
    """Python, zkwm and torch: what a result is bound to."""
    return versions(PACKAGES)


def source_digest(made: type[Any]) -> str:
    """SHA-256 of the files that define a class and its bases, as hex.

    So that a scheme or an attack that was changed is measured again. The common interfaces and
    what those files import are not covered: a new version of zkwm covers them.
    """
    bases = (base for base in made.__mro__ if base.__module__ not in INTERFACES)
    names = sorted(inspect.getfile(base) for base in bases)
    return sha256(b"".join(Path(name).read_bytes() for name in names)).hexdigest()


class Cache:
    """The cache in a folder of an experiment, which is made when something is written."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def exists(self, digest: str) -> bool:
        """Whether there is a result, be it an error."""
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
        _make(path.parent)
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
        _make(folder)
        save_classifier(folder, model)

    def secrets(self, digest: str) -> Path:
        """The folder of a mark's commitment and vault (an experiment's, see the package)."""
        folder = self.folder / "marks" / digest
        _make(folder)
        return folder

    def _path(self, digest: str) -> Path:
        return self.folder / "cache" / digest[:2] / f"{digest}.json"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CouldNotCheck(f"cannot make the folder {folder}: {error.strerror}") from None
