"""Whether the prover's kernels were compiled on this machine before (Numba keeps them on disk).

Only for telling a user why the first proof takes longer. Numba's cache lies beside the installed
code and is as trusted as that code is.
"""

from __future__ import annotations

from pathlib import Path


def kernels_are_cold() -> bool:
    """Whether the first proof will compile: about half a minute, once after installation."""
    from zkwm_protocols.argument import tree_kernels

    kernel = tree_kernels.fold_children
    folder = kernel.stats.cache_path
    return folder is None or not any(Path(folder).glob("tree_kernels.fold_children*.nbi"))
