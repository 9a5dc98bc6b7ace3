"""The loops of the field: from C where its library is there, else by Numba; on a GPU if asked for.

Chosen once for a process; all agree bit for bit. Numba is imported only where it is needed.

::

    scale            values * factor / 2^32
    equality_table   eq(point, i) for all i
    fold             tasks that bind a bit of arrays over K
    product_round    tasks that sum products of two arrays over K
    fold_rows        rows combined with weights in K
    fold_batch       columns combined with weights in K
    transform        number-theoretic transforms of rows
    transform_at     some values of the same
"""

from __future__ import annotations

from zkwm_protocols.field.kernels.native import LEVEL, ON_GPU

if ON_GPU:
    from zkwm_protocols.field.kernels.by_cuda.launch import require_device

    require_device()
    from zkwm_protocols.field.kernels.by_cuda.sums import (
        fold,
        fold_batch,
        fold_rows,
        product_round,
        scale,
    )
    from zkwm_protocols.field.kernels.by_cuda.transform import transform

    if LEVEL is not None:
        from zkwm_protocols.field.kernels.native_kernels import equality_table
    else:
        from zkwm_protocols.field.kernels.by_numba.arithmetic import equality_table
elif LEVEL is not None:
    from zkwm_protocols.field.kernels.native_kernels import (
        equality_table,
        fold,
        fold_batch,
        fold_rows,
        product_round,
        scale,
    )
    from zkwm_protocols.field.kernels.native_transform import transform, transform_at
else:
    from zkwm_protocols.field.kernels.by_numba.arithmetic import equality_table, scale
    from zkwm_protocols.field.kernels.by_numba.sums import (
        fold,
        fold_batch,
        fold_rows,
        product_round,
    )
    from zkwm_protocols.field.kernels.by_numba.transform import transform, transform_at

__all__ = [
    "equality_table",
    "fold",
    "fold_batch",
    "fold_rows",
    "product_round",
    "scale",
    "transform",
    "transform_at",
]
