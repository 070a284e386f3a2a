"""Functions that work value by value: arithmetic, comparisons, exponentials, trigonometry, bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning.ops.operation import bitwise, elementwise, floating, operation, pairwise


def _divide_no_nan(x1: Tensor, x2: Tensor) -> Tensor:
    safe = torch.where(x2 == 0, torch.ones_like(x2), x2)
    return torch.where(x2 == 0, torch.zeros_like(x1 / safe), x1 / safe)


# -- of one tensor -----------------------------------------------------------------------------------------------------

absolute = elementwise("absolute", torch.abs, "Absolute value.")
angle = floating("angle", torch.angle, "Angle of complex numbers, in radians; 0 or π for real ones.")
arccos = floating("arccos", torch.arccos, "Inverse cosine, in radians.")
arccosh = floating("arccosh", torch.arccosh, "Inverse hyperbolic cosine.")
arcsin = floating("arcsin", torch.arcsin, "Inverse sine, in radians.")
arcsinh = floating("arcsinh", torch.arcsinh, "Inverse hyperbolic sine.")
arctan = floating("arctan", torch.arctan, "Inverse tangent, in radians.")
arctanh = floating("arctanh", torch.arctanh, "Inverse hyperbolic tangent.")
bitwise_invert = elementwise("bitwise_invert", torch.bitwise_not, "Invert every bit of whole numbers.")
bitwise_not = elementwise("bitwise_not", torch.bitwise_not, "Invert every bit of whole numbers.")
cbrt = floating("cbrt", lambda x: torch.sign(x) * torch.abs(x).pow(1 / 3), "Cube root, negative for negative numbers.")
ceil = floating("ceil", torch.ceil, "Round up to whole numbers, as floats.")
conj = elementwise("conj", torch.conj_physical, "Complex conjugate.")
conjugate = elementwise("conjugate", torch.conj_physical, "Complex conjugate.")
copy = elementwise("copy", torch.clone, "Copy a tensor.")
cos = floating("cos", torch.cos, "Cosine of an angle in radians.")
cosh = floating("cosh", torch.cosh, "Hyperbolic cosine.")
deg2rad = floating("deg2rad", torch.deg2rad, "Convert degrees to radians.")
erf = floating("erf", torch.erf, "Error function.", module="math")
exp = floating("exp", torch.exp, "Exponential function.")
exp2 = floating("exp2", torch.exp2, "Powers of 2.")
expm1 = floating("expm1", torch.expm1, "Exponential function less 1, exact near 0.")
fabs = floating("fabs", torch.abs, "Absolute value as a float.")
floor = floating("floor", torch.floor, "Round down to whole numbers, as floats.")
i0 = floating("i0", torch.special.i0, "Modified Bessel function of the first kind, order 0.")
imag = elementwise(
    "imag", lambda x: x.imag if x.is_complex() else torch.zeros_like(x), "Imaginary part; 0 for real numbers."
)
isfinite = elementwise("isfinite", torch.isfinite, "Whether values are finite: neither infinite nor NaN.")
isinf = elementwise("isinf", torch.isinf, "Whether values are infinite.")
isnan = elementwise("isnan", torch.isnan, "Whether values are NaN.")
isneginf = elementwise("isneginf", torch.isneginf, "Whether values are −∞.")
isposinf = elementwise("isposinf", torch.isposinf, "Whether values are +∞.")
isreal = elementwise("isreal", torch.isreal, "Whether values have no imaginary part.")
log = floating("log", torch.log, "Natural logarithm.")
log10 = floating("log10", torch.log10, "Logarithm to base 10.")
log1p = floating("log1p", torch.log1p, "Natural logarithm of 1 + x, exact near 0.")
log2 = floating("log2", torch.log2, "Logarithm to base 2.")
logical_not = elementwise("logical_not", torch.logical_not, "Whether values are false or zero.")
negative = elementwise("negative", torch.neg, "Change the sign.")
rad2deg = floating("rad2deg", torch.rad2deg, "Convert radians to degrees.")
real = elementwise("real", torch.real, "Real part.")
reciprocal = floating("reciprocal", torch.reciprocal, "One divided by x.")
rsqrt = floating("rsqrt", torch.rsqrt, "One divided by the square root.", module="math")
sign = elementwise("sign", torch.sign, "Sign of values: −1, 0 or 1.")
signbit = elementwise("signbit", torch.signbit, "Whether the sign bit is set: for negative numbers and −0.")
sin = floating("sin", torch.sin, "Sine of an angle in radians.")
sinc = floating("sinc", torch.sinc, "Normalised sinc function, sin(πx) / (πx); 1 at 0.")
sinh = floating("sinh", torch.sinh, "Hyperbolic sine.")
sqrt = floating("sqrt", torch.sqrt, "Square root; NaN for negative numbers.")
square = elementwise("square", torch.square, "Multiply values by themselves.")
tan = floating("tan", torch.tan, "Tangent of an angle in radians.")
tanh = floating("tanh", torch.tanh, "Hyperbolic tangent.")
trunc = elementwise("trunc", torch.trunc, "Cut off what stands after the point.")
abs = absolute

# -- of two tensors ----------------------------------------------------------------------------------------------------

add = pairwise("add", torch.add, "Sum of two tensors.")
arctan2 = pairwise("arctan2", torch.arctan2, "Angle of the point (x2, x1) in radians: all quadrants.")
divide = pairwise("divide", torch.true_divide, "Quotient of two tensors, as floats.")
equal = pairwise("equal", torch.eq, "Whether values are equal.")
floor_divide = pairwise("floor_divide", torch.floor_divide, "Quotient rounded down.")
fmax = pairwise("fmax", torch.fmax, "Larger of two values; NaN only where both are NaN.")
fmin = pairwise("fmin", torch.fmin, "Smaller of two values; NaN only where both are NaN.")
fmod = pairwise("fmod", torch.fmod, "Remainder of a division, with the sign of x1.")
gcd = pairwise("gcd", torch.gcd, "Greatest common divisor of whole numbers.")
greater = pairwise("greater", torch.gt, "Whether x1 > x2.")
greater_equal = pairwise("greater_equal", torch.ge, "Whether x1 ≥ x2.")
heaviside = pairwise("heaviside", torch.heaviside, "Step function: 0 where x1 < 0, x2 where it is 0, 1 above.")
hypot = pairwise("hypot", torch.hypot, "Length of the hypotenuse, √(x1² + x2²), without overflow.")
lcm = pairwise("lcm", torch.lcm, "Least common multiple of whole numbers.")
less = pairwise("less", torch.lt, "Whether x1 < x2.")
less_equal = pairwise("less_equal", torch.le, "Whether x1 ≤ x2.")
logaddexp = pairwise("logaddexp", torch.logaddexp, "Logarithm of a sum, log(exp(x1) + exp(x2)), without overflow.")
logaddexp2 = pairwise(
    "logaddexp2", torch.logaddexp2, "Logarithm of a sum to base 2, log₂(2^x1 + 2^x2), without overflow."
)
logical_and = pairwise("logical_and", torch.logical_and, "Whether both values are true.")
logical_or = pairwise("logical_or", torch.logical_or, "Whether at least one value is true.")
logical_xor = pairwise("logical_xor", torch.logical_xor, "Whether exactly one value is true.")
maximum = pairwise("maximum", torch.maximum, "Larger of two values; NaN where either is NaN.")
minimum = pairwise("minimum", torch.minimum, "Smaller of two values; NaN where either is NaN.")
mod = pairwise("mod", torch.remainder, "Remainder of a division, with the sign of x2.")
multiply = pairwise("multiply", torch.multiply, "Product of two tensors, value by value.")
nextafter = pairwise("nextafter", torch.nextafter, "Next floating-point number after x1 towards x2.")
not_equal = pairwise("not_equal", torch.ne, "Whether values differ.")
power = pairwise("power", torch.pow, "x1 to the power of x2.")
subtract = pairwise("subtract", torch.subtract, "Difference of two tensors.")
true_divide = pairwise("true_divide", torch.true_divide, "Quotient of two tensors, as floats.")
divide_no_nan = pairwise("divide_no_nan", _divide_no_nan, "Quotient of two tensors, 0 where x2 is 0.")
bitwise_and = bitwise("bitwise_and", torch.bitwise_and, "Bits that are set in both whole numbers.")
bitwise_left_shift = bitwise(
    "bitwise_left_shift", torch.bitwise_left_shift, "Shift the bits of x to the left by y places."
)
bitwise_or = bitwise("bitwise_or", torch.bitwise_or, "Bits that are set in at least one of two whole numbers.")
bitwise_right_shift = bitwise(
    "bitwise_right_shift", torch.bitwise_right_shift, "Shift the bits of x to the right by y places."
)
bitwise_xor = bitwise("bitwise_xor", torch.bitwise_xor, "Bits that are set in exactly one of two whole numbers.")
left_shift = bitwise("left_shift", torch.bitwise_left_shift, "Shift the bits of x to the left by y places.")
right_shift = bitwise("right_shift", torch.bitwise_right_shift, "Shift the bits of x to the right by y places.")

# -- with further arguments --------------------------------------------------------------------------------------------


@operation("numpy")
def clip(x: Any, x_min: Any, x_max: Any) -> Tensor:
    """Limit the values of `x` to an interval.

    Args:
        x: tensor or array-like.
        x_min: lower bound, a number or a tensor that broadcasts.
        x_max: upper bound, likewise.
    """
    return torch.clamp(x, x_min, x_max)


@operation("numpy")
def round(x: Any, decimals: int = 0) -> Tensor:
    """Round to the nearest number with so many decimals; halves go to the even neighbour.

    Args:
        x: tensor or array-like.
        decimals: digits after the point; below 0, places before it.
    """
    return torch.round(x, decimals=decimals) if x.is_floating_point() else x


@operation("numpy")
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """Replace NaN and infinities by finite numbers.

    Args:
        x: tensor or array-like.
        nan: what stands for NaN.
        posinf: what stands for +∞; None: the largest finite number of the dtype.
        neginf: what stands for −∞; None: the smallest finite number of the dtype.
    """
    return torch.nan_to_num(x, nan, posinf, neginf)


@operation("numpy", tensors=3)
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """Choose values from `x1` where `condition` holds, from `x2` elsewhere.

    Args:
        condition: boolean tensor.
        x1: tensor or number that broadcasts with `condition`.
        x2: tensor or number that broadcasts with `condition`.

    Returns:
        The chosen values; with `condition` alone, a tuple of index tensors, one an axis, of where it holds.
    """
    if x1 is None or x2 is None:
        return torch.where(condition)
    return torch.where(condition.bool(), x1, x2)


@operation("numpy", tensors=2)
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether values are equal within a tolerance: |x1 − x2| ≤ atol + rtol·|x2|.

    Args:
        x1: tensor or array-like.
        x2: tensor or array-like.
        rtol: tolerance relative to |x2|.
        atol: absolute tolerance.
        equal_nan: whether two NaN are equal.

    Returns:
        A boolean tensor.
    """
    kind = torch.promote_types(x1.dtype, x2.dtype)
    return torch.isclose(x1.to(kind), x2.to(kind), rtol, atol, equal_nan)


@operation("numpy", tensors=2, name="AllClose")
def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether all values are equal within a tolerance: |x1 − x2| ≤ atol + rtol·|x2|.

    Args:
        x1: tensor or array-like.
        x2: tensor or array-like.
        rtol: tolerance relative to |x2|.
        atol: absolute tolerance.
        equal_nan: whether two NaN are equal.

    Returns:
        A boolean tensor without axes.
    """
    return isclose(x1, x2, rtol, atol, equal_nan).all()


__all__ = [
    "abs", "absolute", "add", "allclose", "angle", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2",
    "arctanh", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "cbrt", "ceil", "clip", "conj", "conjugate", "copy", "cos", "cosh", "deg2rad",
    "divide", "divide_no_nan", "equal", "erf", "exp", "exp2", "expm1", "fabs", "floor", "floor_divide", "fmax", "fmin",
    "fmod", "gcd", "greater", "greater_equal", "heaviside", "hypot", "i0", "imag", "isclose", "isfinite", "isinf",
    "isnan", "isneginf", "isposinf", "isreal", "lcm", "left_shift", "less", "less_equal", "log", "log1p", "log2",
    "log10", "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum",
    "mod", "multiply", "nan_to_num", "negative", "nextafter", "not_equal", "power", "rad2deg", "real", "reciprocal",
    "right_shift", "round", "rsqrt", "sign", "signbit", "sin", "sinc", "sinh", "sqrt", "square", "subtract", "tan",
    "tanh", "true_divide", "trunc", "where",
]  # fmt: skip
