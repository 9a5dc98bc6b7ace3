"""The loops of the fraction tree: from C where its library is there, else by Numba; some on a GPU.

Chosen once for a process; all agree bit for bit. ``layer_kernels``, ``kernels`` and
``unit_kernels`` say what each loop does.
"""

from __future__ import annotations

from zkwm_protocols.field.kernels.native import LEVEL, ON_GPU

if LEVEL is not None:
    from zkwm_protocols.argument.logup_gkr.native_kernels import (
        gather_nodes,
        make_parents,
        units_as_bound,
    )
    from zkwm_protocols.argument.logup_gkr.native_rounds import (
        fold_bound,
        fold_children,
        fold_units,
        sum_bound,
        sum_children,
        sum_units,
    )
else:
    from zkwm_protocols.argument.logup_gkr.kernels import (
        fold_bound,
        fold_children,
        sum_bound,
        sum_children,
    )
    from zkwm_protocols.argument.logup_gkr.layer_kernels import gather_nodes, make_parents
    from zkwm_protocols.argument.logup_gkr.unit_kernels import (
        fold_units,
        sum_units,
        units_as_bound,
    )

if ON_GPU:
    from zkwm_protocols.argument.logup_gkr.cuda_rounds import (
        fold_bound,
        make_parents,
        sum_bound,
    )

__all__ = [
    "fold_bound",
    "fold_children",
    "fold_units",
    "gather_nodes",
    "make_parents",
    "sum_bound",
    "sum_children",
    "sum_units",
    "units_as_bound",
]
