"""Trust folders as a judge keeps them (SPEC.md 24.2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.timestamp_authority import POLICY


def write_trust(
    folder: Path,
    roots: Mapping[str, tuple[bytes, ...]],
    *,
    needed: int = 1,
    demand_revocation: bool = True,
) -> Path:
    """A folder that trusts authorities by these root certificates (PEM), by name."""
    folder.mkdir()
    (folder / "trust.toml").write_text(f"authorities_needed = {needed}\n", encoding="utf-8")
    for name, certificates in roots.items():
        authority = folder / "authorities" / name
        authority.mkdir(parents=True)
        (authority / "root.pem").write_bytes(b"".join(certificates))
        settings = (
            f'policies = ["{POLICY}"]\ndemand_revocation = {str(demand_revocation).lower()}\n'
        )
        (authority / "authority.toml").write_text(settings, encoding="utf-8")
    return folder
