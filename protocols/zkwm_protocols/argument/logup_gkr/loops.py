"""The loops of the fraction tree: from C where its library is there, else by Numba.

Chosen once for a process; the two agree bit for bit. ``kernels`` says what each loop does.
"""

from __future__ import annotations

from zkwm_protocols.field.kernels.native import LEVEL

if LEVEL is not None:
    from zkwm_protocols.argument.logup_gkr.native_kernels import (
        fold_children,
        gather_leaves,
        make_parents,
        sum_round,
    )
else:
    from zkwm_protocols.argument.logup_gkr.kernels import (
        fold_children,
        gather_leaves,
        make_parents,
        sum_round,
    )

__all__ = ["fold_children", "gather_leaves", "make_parents", "sum_round"]
