"""`tf.math` and the reductions: elementwise functions, sums, means, comparisons. TensorFlow: `tf.math`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning import activations
from scene_lightning.compat.tensorflow.dtypes import as_dtype
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation, same_dtype


def _unary(torch_function: Callable[..., Any], doc: str) -> Callable[..., Any]:
    def function(x: Any, name: Any = None) -> Any:
        return torch_function(as_tensor(x))

    function.__doc__ = doc
    return operation(function)


def _float(torch_function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: torch_function(x if x.is_floating_point() or x.is_complex() else x.float())


def _binary(torch_function: Callable[..., Any], doc: str) -> Callable[..., Any]:
    def function(x: Any, y: Any, name: Any = None) -> Any:
        return torch_function(*same_dtype(x, y))

    function.__doc__ = doc
    return operation(function)


abs = _unary(torch.abs, "|x|.")
ceil = _unary(torch.ceil, "x rounded up.")
cos = _unary(_float(torch.cos), "Cosine of x in radians.")
erf = _unary(_float(torch.erf), "The error function.")
exp = _unary(_float(torch.exp), "e**x.")
floor = _unary(torch.floor, "x rounded down.")
is_finite = _unary(torch.isfinite, "Whether x is a number and not infinite.")
is_inf = _unary(torch.isinf, "Whether x is infinite.")
is_nan = _unary(torch.isnan, "Whether x is not a number.")
log = _unary(_float(torch.log), "The natural logarithm.")
log1p = _unary(_float(torch.log1p), "log(1 + x).")
log_sigmoid = _unary(torch.nn.functional.logsigmoid, "log(sigmoid(x)).")
logical_not = _unary(torch.logical_not, "Not x.")
negative = _unary(torch.neg, "-x.")
reciprocal = _unary(torch.reciprocal, "1 / x.")
round = _unary(torch.round, "x rounded to even.")
rsqrt = _unary(_float(torch.rsqrt), "1 / sqrt(x).")
sigmoid = _unary(_float(torch.sigmoid), "1 / (1 + exp(-x)).")
sign = _unary(torch.sign, "-1, 0 or 1.")
sin = _unary(_float(torch.sin), "Sine of x in radians.")
softplus = _unary(torch.nn.functional.softplus, "log(1 + exp(x)).")
sqrt = _unary(_float(torch.sqrt), "The square root.")
square = _unary(torch.square, "x * x.")
tan = _unary(_float(torch.tan), "Tangent of x in radians.")
tanh = _unary(_float(torch.tanh), "Hyperbolic tangent.")
acos = _unary(_float(torch.acos), "The angle whose cosine is x.")
asin = _unary(_float(torch.asin), "The angle whose sine is x.")
atan = _unary(_float(torch.atan), "The angle whose tangent is x.")
cosh = _unary(_float(torch.cosh), "Hyperbolic cosine.")
sinh = _unary(_float(torch.sinh), "Hyperbolic sine.")
erfc = _unary(_float(torch.erfc), "1 - erf(x).")
expm1 = _unary(_float(torch.expm1), "exp(x) - 1.")
rint = _unary(torch.round, "The nearest whole number.")
matrix_transpose = _unary(lambda x: x.transpose(-2, -1), "The last two axes exchanged.")
diag_part = _unary(lambda x: torch.diagonal(x, dim1=-2, dim2=-1), "The diagonals of matrices.")
trace = _unary(lambda x: torch.diagonal(x, dim1=-2, dim2=-1).sum(-1), "The sums of the diagonals of matrices.")
inv = _unary(torch.linalg.inv, "The inverses of matrices.")
det = _unary(torch.linalg.det, "The determinants of matrices.")
for _function, _same in ((sigmoid, activations.sigmoid), (softplus, activations.softplus), (tanh, activations.tanh)):
    _function.keras_activation = _same  # type: ignore[attr-defined]

add = _binary(torch.add, "x + y.")
atan2 = _binary(torch.atan2, "The angle of the point (y, x).")
divide = truediv = _binary(torch.true_divide, "x / y.")
multiply_no_nan = _binary(lambda x, y: torch.where(y == 0, torch.zeros_like(x * y), x * y), "x * y; 0 where y is 0.")
xlogy = _binary(torch.xlogy, "x * log(y), and 0 where x is 0.")
divide_no_nan = _binary(lambda x, y: torch.where(y == 0, torch.zeros_like(x / y), x / y), "x / y, and 0 where y is 0.")
equal = _binary(torch.eq, "x == y.")
floordiv = _binary(torch.floor_divide, "x // y.")
greater = _binary(torch.gt, "x > y.")
greater_equal = _binary(torch.ge, "x >= y.")
less = _binary(torch.lt, "x < y.")
less_equal = _binary(torch.le, "x <= y.")
logical_and = _binary(torch.logical_and, "x and y.")
logical_or = _binary(torch.logical_or, "x or y.")
logical_xor = _binary(torch.logical_xor, "x or y, but not both.")
maximum = _binary(torch.maximum, "The larger of x and y.")
minimum = _binary(torch.minimum, "The smaller of x and y.")
mod = floormod = _binary(torch.remainder, "x modulo y.")
multiply = _binary(torch.mul, "x * y.")
not_equal = _binary(torch.ne, "x != y.")
pow = power = _binary(torch.pow, "x ** y.")
squared_difference = _binary(lambda x, y: (x - y) ** 2, "(x - y)**2.")
subtract = _binary(torch.sub, "x - y.")


def _reduction(torch_function: Callable[..., Any], doc: str, floats: bool = False) -> Callable[..., Any]:
    def function(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None) -> Any:
        x = as_tensor(input_tensor)
        if floats and not x.is_floating_point():
            x = x.float()
        given = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        return torch_function(x, tuple(int(one) for one in given), bool(keepdims)) if x.ndim else x

    function.__doc__ = doc
    return operation(function)


def _over_axes(torch_function: Callable[..., Any]) -> Callable[..., Any]:
    """A torch reduction over one axis → one over several."""

    def function(x: torch.Tensor, axes: tuple[int, ...], keepdims: bool) -> torch.Tensor:
        for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
            x = torch_function(x, axis, keepdims)
        return x

    return function


def _sum(x: torch.Tensor, axes: tuple[int, ...], keepdims: bool) -> torch.Tensor:
    return torch.sum(x, axes, keepdims, dtype=torch.float32 if x.dtype == torch.bool else x.dtype)


def _mean(x: torch.Tensor, axes: tuple[int, ...], keepdims: bool) -> torch.Tensor:
    if x.is_floating_point() or x.is_complex():
        return torch.mean(x, axes, keepdims)
    if x.dtype == torch.bool:
        return torch.mean(x.float(), axes, keepdims)
    return torch.mean(x.double(), axes, keepdims).trunc().to(x.dtype)


reduce_sum = _reduction(_sum, "The sum over `axis` (all by default); integers keep their dtype.")
reduce_mean = _reduction(_mean, "The mean over `axis`; of integers an integer, cut off.")
reduce_max = _reduction(torch.amax, "The largest over `axis`.")
reduce_min = _reduction(torch.amin, "The smallest over `axis`.")
reduce_prod = _reduction(
    _over_axes(lambda x, axis, keep: torch.prod(x, axis, keep, dtype=x.dtype)), "The product over `axis`."
)
reduce_all = _reduction(_over_axes(torch.all), "Whether all are true.")
reduce_any = _reduction(_over_axes(torch.any), "Whether any is true.")
reduce_euclidean_norm = _reduction(
    lambda x, axes, keep: torch.linalg.vector_norm(x, dim=axes, keepdim=keep), "The Euclidean length.", floats=True
)
reduce_logsumexp = _reduction(torch.logsumexp, "log(sum(exp(x))).", floats=True)
reduce_variance = _reduction(
    lambda x, axes, keep: torch.var(x, axes, correction=0, keepdim=keep), "The variance over `axis`.", floats=True
)
reduce_std = _reduction(
    lambda x, axes, keep: torch.std(x, axes, correction=0, keepdim=keep), "The deviation over `axis`.", floats=True
)


def _ordered(value: Any) -> torch.Tensor:
    """A tensor that torch can order: it cannot order booleans."""
    x = as_tensor(value)
    return x.to(torch.uint8) if x.dtype == torch.bool else x


@operation
def argmax(input: Any, axis: Any = 0, output_type: Any = torch.int64, name: Any = None, **_: Any) -> Any:
    """Gives the index of the largest value along an axis.

    Args:
        input: tensor, array, list or number.
        axis: along which; None for the first, as in TensorFlow.
        output_type: integer dtype of the result.
        name, **_: for TensorFlow's sake, without effect.
    """
    return torch.argmax(_ordered(input), dim=0 if axis is None else axis).to(as_dtype(output_type))


@operation
def argmin(input: Any, axis: Any = 0, output_type: Any = torch.int64, name: Any = None, **_: Any) -> Any:
    """Gives the index of the smallest value along an axis.

    Args:
        input: tensor, array, list or number.
        axis: along which; None for the first, as in TensorFlow.
        output_type: integer dtype of the result.
        name, **_: for TensorFlow's sake, without effect.
    """
    return torch.argmin(_ordered(input), dim=0 if axis is None else axis).to(as_dtype(output_type))


@operation
def argsort(values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = True, name: Any = None) -> Any:
    """Gives the indices that sort values, equal ones in their order.

    Args:
        values: tensor, array or list of numbers.
        axis: along which.
        direction: "ASCENDING" or "DESCENDING".
        stable, name: for TensorFlow's sake, without effect.
    """
    order = torch.argsort(as_tensor(values), dim=axis, descending=direction == "DESCENDING", stable=True)
    return order.to(torch.int32)


@operation
def matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, **_: Any) -> Any:
    """Multiplies matrices.

    Args:
        a, b: (…, rows, columns) each.
        transpose_a, transpose_b: whether its last two axes are exchanged first.
        **_: for TensorFlow's sake, without effect.
    """
    first, second = same_dtype(a, b)
    return (first.mT if transpose_a else first) @ (second.mT if transpose_b else second)


@operation
def cumsum(x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: Any = None) -> Any:
    """Gives running sums along an axis.

    Args:
        x: tensor, array, list or number.
        axis: along which.
        exclusive: whether each sum is without the element itself.
        reverse: whether to begin at the end.
        name: for TensorFlow's sake, without effect.
    """
    given = as_tensor(x)
    turned = torch.flip(given, (axis,)) if reverse else given
    sums = torch.cumsum(turned, axis, dtype=given.dtype)
    sums = sums - turned if exclusive else sums
    return torch.flip(sums, (axis,)) if reverse else sums


@operation
def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: Any = None) -> Any:
    """Sets values below and above the bounds to them.

    Args:
        t: tensor, array, list or number.
        clip_value_min, clip_value_max: the bounds: numbers, or tensors that can be broadcast.
        name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(t)
    return torch.minimum(torch.maximum(x, same_dtype(x, clip_value_min)[1]), same_dtype(x, clip_value_max)[1])


@operation
def norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool = False, name: Any = None) -> Any:
    """Gives the norm of vectors.

    Args:
        tensor: tensor, array, list or number.
        ord: "euclidean", or the order: 1, 2, inf.
        axis: along which; None for all elements.
        keepdims: whether the reduced axes stay, with length 1.
        name: for TensorFlow's sake, without effect.
    """
    return torch.linalg.vector_norm(as_tensor(tensor), 2 if ord == "euclidean" else ord, axis, keepdims)


@operation
def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: Any = None) -> Any:
    """Divides by the Euclidean length along an axis.

    Args:
        x: tensor, array, list or number.
        axis: along which; None for all elements.
        epsilon: the least that the squared length counts as.
        name: for TensorFlow's sake, without effect.
    """
    values = as_tensor(x)
    squared = torch.sum(values**2, dim=axis, keepdim=True) if axis is not None else torch.sum(values**2)
    return values * torch.rsqrt(torch.clamp(squared, min=epsilon))


@operation
def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    weights: Any = None,
    dtype: Any = torch.int32,
    name: Any = None,
) -> Any:
    """Counts pairs of classes, (classes, classes): rows are true labels, columns predictions.

    Args:
        labels, predictions: class numbers.
        num_classes: None for as many as occur.
        weights: what each pair counts; None for 1.
        dtype: of the counts.
        name: for TensorFlow's sake, without effect.
    """
    true, predicted = as_tensor(labels).long().flatten(), as_tensor(predictions).long().flatten()
    classes = int(num_classes or max(true.max(), predicted.max()) + 1)
    counts = torch.zeros(classes * classes, dtype=torch.float64)
    ones = torch.ones(len(true), dtype=torch.float64) if weights is None else as_tensor(weights).double()
    return counts.index_add_(0, true * classes + predicted, ones).reshape(classes, classes).to(as_dtype(dtype))


@operation
def top_k(input: Any, k: int = 1, sorted: bool = True, name: Any = None) -> Any:
    """Gives (values, indices) of the largest along the last axis.

    Args:
        input: tensor, array, list or number.
        k: how many.
        sorted: whether the largest comes first.
        name: for TensorFlow's sake, without effect.
    """
    best = torch.topk(as_tensor(input), int(k), sorted=sorted)
    return type(best)((best.values, best.indices.int()))


@operation
def in_top_k(targets: Any, predictions: Any, k: int, name: Any = None) -> Any:
    """Whether each target is among the largest predictions.

    Args:
        targets: (batch,) class numbers.
        predictions: (batch, classes) scores.
        k: how many count.
        name: for TensorFlow's sake, without effect.
    """
    best = torch.topk(as_tensor(predictions), int(k)).indices
    return (best == as_tensor(targets).reshape(-1, 1)).any(-1)


# Keras 3's names in keras.ops, which are NumPy's
amax = max = reduce_max
amin = min = reduce_min
mean, prod, sum, std, var = reduce_mean, reduce_prod, reduce_sum, reduce_std, reduce_variance
clip = clip_by_value
