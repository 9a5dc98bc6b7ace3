"""Kernels of the field from C, with the arguments of those by Numba in the same package.

Sizes are checked here: C checks nothing. See ``native``.
"""

from __future__ import annotations

from zkwm_protocols.field.kernels.layout import CHUNK, Residues, element_of_line
from zkwm_protocols.field.kernels.native import call, require, words
from zkwm_protocols.field.scalar import DEGREE


def fold(begin: int, end: int, arrays: Residues, r: Residues, out: Residues) -> None:
    """Bind the lowest index bit of some arrays: tasks begin .. end - 1 of CHUNK pairs of one array.

    Args:
        begin: the first task.
        end: behind the last task.
        arrays (uint32, (number, 5, C)): C even.
        r: the challenge, a line.
        out (uint32, (number, 5, at least C / 2)): written.

    Raises:
        UsageError: shapes that do not fit.
    """
    number, _, columns = arrays.shape
    pairs = columns // 2
    require(
        0 <= begin <= end <= number * -(-pairs // CHUNK) and out.shape[2] >= pairs, "binding a bit"
    )
    r = element_of_line(r)
    call(
        "fold", begin, end, words(arrays, number, DEGREE, columns), columns, words(r, DEGREE),
        words(out, number, DEGREE, None, out=True), out.shape[2],
    )  # fmt: skip
