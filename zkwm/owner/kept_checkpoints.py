"""Where a machine keeps the newest checkpoint that its user saw of each log (SPEC.md 25.6)."""

from __future__ import annotations

from zkwm.owner.vault.high_water_mark import state_folder
from zkwm.transparency_log.seen_checkpoints import SeenCheckpoints


def kept_checkpoints() -> SeenCheckpoints | None:
    """The folder ``checkpoints`` in the state folder; None where the system names no home.

    Raises UsageError where ``$ZKWM_STATE`` is relative, CouldNotCheck where it cannot be made.
    """
    folder = state_folder()
    return None if folder is None else SeenCheckpoints(folder / "checkpoints")
