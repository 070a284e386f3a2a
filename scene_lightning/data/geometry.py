"""Makes the affine matrices that say which input pixel each output pixel is read from.

Source: Keras' `apply_affine_transform` (keras.src.legacy.preprocessing.image) and, for `variant="keras<=2.8"`,
Keras-Preprocessing 1.1.2. Pixel centres lie at integers; a matrix maps (row, col, 1) of the output to (row, col)
of the input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scene_lightning.errors import InputError

VARIANTS = ("keras>=2.9", "keras<=2.8")


@dataclass(frozen=True)
class View:
    """What of an image is looked at, and how large it becomes.

    Attributes:
        seen: (height, width) in pixels, its upper left part.
        size: (height, width) in pixels that this part is brought to.
    """

    seen: tuple[int, int]
    size: tuple[int, int]

    def of(self, matrices: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2, 3) output → input, the same for the view's pixels: the outer edges of `seen` and `size` coincide."""
        rows, cols = (seen / side for seen, side in zip(self.seen, self.size, strict=True))
        scale = np.array([[rows, 0, (rows - 1) / 2], [0, cols, (cols - 1) / 2], [0, 0, 1]])
        return matrices @ scale


def check_variant(variant: str) -> None:
    """Raise InputError unless `variant` names one of the two geometries that Keras has had.

    Args:
        variant: the name to check, one of `VARIANTS`.
    """
    if variant not in VARIANTS:
        raise InputError(f"Unknown affine variant {variant!r}. Expected one of {', '.join(map(repr, VARIANTS))}.")


def _products(n: int, factors: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    result = np.broadcast_to(np.eye(3), (n, 3, 3))
    for factor in factors:
        result = result @ factor
    return result


def _stack(n: int, entries: dict[tuple[int, int], ArrayLike]) -> NDArray[np.float64]:
    """(n, 3, 3) identity matrices with `entries` overwritten."""
    matrices = np.tile(np.eye(3), (n, 1, 1))
    for (row, col), values in entries.items():
        matrices[:, row, col] = values
    return matrices


def affine_matrices(
    theta: NDArray[np.float64],
    tx: NDArray[np.float64],
    ty: NDArray[np.float64],
    shear: NDArray[np.float64],
    zx: NDArray[np.float64],
    zy: NDArray[np.float64],
    height: int,
    width: int,
    variant: str = "keras>=2.9",
) -> NDArray[np.float64]:
    """Multiply rotation, shift, shear and zoom, R·T·S·Z, about Keras' centre.

    Args:
        theta, shear: (N,) degrees.
        tx, ty: (N,) pixels.
        zx, zy: (N,) factors; below 1 magnifies.
        height, width: pixels.
        variant: the Keras version whose geometry is meant: from 2.9 on the axes are swapped and the centre is
            N/2 - 0.5; before, they are not and it is N/2 + 0.5.

    Returns:
        (N, 2, 3) float64. Keras takes its centre from (height, width) before swapping the axes, so on a non-square
        image the fixed point is (row width/2 - 0.5, col height/2 - 0.5); programs were trained on this, and it stays.
    """
    check_variant(variant)
    n = len(theta)
    angle, slant = np.deg2rad(theta), np.deg2rad(shear)
    product = _products(
        n,
        [
            _stack(n, {(0, 0): np.cos(angle), (0, 1): -np.sin(angle), (1, 0): np.sin(angle), (1, 1): np.cos(angle)}),
            _stack(n, {(0, 2): tx, (1, 2): ty}),
            _stack(n, {(0, 1): -np.sin(slant), (1, 1): np.cos(slant)}),
            _stack(n, {(0, 0): zx, (1, 1): zy}),
        ],
    )
    half = -0.5 if variant == "keras>=2.9" else 0.5
    row_centre, col_centre = height / 2 + half, width / 2 + half
    to_centre = _stack(n, {(0, 2): row_centre, (1, 2): col_centre})
    from_centre = _stack(n, {(0, 2): -row_centre, (1, 2): -col_centre})
    centred = to_centre @ product @ from_centre
    if variant == "keras>=2.9":
        swap = [1, 0, 2]
        centred = centred[:, swap][:, :, swap]
    return centred[:, :2]


def fold_flips(
    matrices: NDArray[np.float64],
    flip_horizontal: NDArray[np.bool_],
    flip_vertical: NDArray[np.bool_],
    height: int,
    width: int,
) -> NDArray[np.float64]:
    """Add flips to affine matrices, (N, 2, 3), so that pixels are sampled once.

    Args:
        matrices: (N, 2, 3) output → input.
        flip_horizontal: (N,) which are mirrored left to right.
        flip_vertical: (N,) which are mirrored top to bottom.
        height, width: pixels.
    """
    rows = np.where(flip_vertical, -1.0, 1.0)
    cols = np.where(flip_horizontal, -1.0, 1.0)
    flips = _stack(
        len(matrices),
        {
            (0, 0): rows,
            (1, 1): cols,
            (0, 2): np.where(flip_vertical, height - 1.0, 0.0),
            (1, 2): np.where(flip_horizontal, width - 1.0, 0.0),
        },
    )
    return matrices @ flips
