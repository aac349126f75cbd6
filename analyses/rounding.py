"""Numbers rounded for sentences: what is not 0 never reads 0, and a share of nearly all does not read 100 %."""

import math

_MOST_DIGITS = 9  # of a share
_MOST_DIGITS_NEAR_ALL = 4  # since a share of all may lack a millionth by rounding


def rounded(value: float, spec: str) -> str:
    """Return a number as a format says, with an exponent or more digits where it would read 0 and is not.

    Args:
        value: Any number; -0 reads as 0 does, and infinities and NaN as the format has them.
        spec: Such as `.3f`, `+.4f` or `.1%`. A share, in percent, has more digits also where it would read 100
            and lacks more than a millionth.

    >>> [rounded(value, "+.4f") for value in (0.25, -0.00003, -0.0, 0.0)]
    ['+0.2500', '-3e-05', '+0.0000', '+0.0000']
    >>> [rounded(value, ".1%") for value in (0.25, 0.00004, 0.99996, 1.0)]
    ['25.0%', '0.004%', '99.996%', '100.0%']
    >>> rounded(0.99999999, ".0%")
    '100%'
    """
    text = format(value + 0.0, spec)
    if not math.isfinite(value) or value in (0, 1):
        return text
    if spec.endswith("%"):
        sign, digits = spec[:-1].split(".")
        is_near_all = abs(float(text[:-1])) == 100
        most = _MOST_DIGITS_NEAR_ALL if is_near_all else _MOST_DIGITS
        exact = (format(value, f"{sign}.{more}%") for more in range(int(digits), most + 1))
        otherwise = text if is_near_all else f"{100 * value:.0e}%"
        return next((written for written in exact if abs(float(written[:-1])) not in (0, 100)), otherwise)
    return text if any(digit in text for digit in "123456789") else format(value, f"{spec.partition('.')[0]}.0e")
