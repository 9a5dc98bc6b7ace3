"""Binary logarithms of exact integers in hundredths, with directed rounding (SPEC.md 8.2).

Owner, judge and any other implementation get the same integer, on every machine.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

_CONTEXT = Context(prec=60)
_TOO_CLOSE = Decimal("1e-40")


def hundredths_down(numerator: int, denominator: int) -> int:
    """100 log2(numerator / denominator), rounded down."""
    return _scaled_log2(numerator, denominator, ROUND_FLOOR)


def hundredths_up(value: int) -> int:
    """100 log2(value), rounded up."""
    return _scaled_log2(value, 1, ROUND_CEILING)


def _scaled_log2(numerator: int, denominator: int, rounding: str) -> int:
    """100 log2(numerator / denominator), rounded by ``ROUND_FLOOR`` or ``ROUND_CEILING``."""
    whole, rest = divmod(numerator, denominator)
    if rest == 0 and whole & (whole - 1) == 0:  # a power of two: exact
        return 100 * (whole.bit_length() - 1)
    logarithm = _CONTEXT.subtract(_ln(numerator), _ln(denominator))
    scaled = _CONTEXT.divide(_CONTEXT.multiply(Decimal(100), logarithm), _ln(2))
    nearest = int(scaled.to_integral_value(rounding=ROUND_HALF_EVEN))
    if abs(scaled - nearest) > _TOO_CLOSE:
        return int(scaled.to_integral_value(rounding=rounding))
    # Not an integer (a rational number is 2^(h/100) only where 100 divides h), but nearer to one
    # than the logarithm is known: compare exactly.
    above = _power_exceeds(numerator, denominator, nearest)
    if rounding == ROUND_FLOOR:
        return nearest if above else nearest - 1
    return nearest + 1 if above else nearest


def _power_exceeds(numerator: int, denominator: int, hundredths: int) -> bool:
    """Whether numerator / denominator > 2^(hundredths / 100), for hundredths from 0."""
    whole, rest = divmod(hundredths, 100)
    if rest == 0:
        return numerator > denominator << whole
    return numerator**100 > denominator**100 << hundredths


def _ln(value: int) -> Decimal:
    """The natural logarithm to 60 digits: of the leading 256 bits, plus the rest as powers of 2."""
    excess = max(0, value.bit_length() - 256)
    leading = _CONTEXT.ln(Decimal(value >> excess))
    return _CONTEXT.add(leading, _CONTEXT.multiply(Decimal(excess), _CONTEXT.ln(Decimal(2))))
