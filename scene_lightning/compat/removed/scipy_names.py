"""Names that SciPy has removed: its pictures, NumPy's functions under its own name, second spellings."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from scene_lightning.compat.removed import scipy_misc
from scene_lightning.compat.removed.patching import Modern, Names, to
from scene_lightning.errors import UnsupportedError


def _simps(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1, even: Any = None) -> Any:
    return importlib.import_module("scipy.integrate").simpson(y, x=x, dx=dx, axis=axis)


def _binom_test(x: Any, n: Any = None, p: float = 0.5, alternative: str = "two-sided") -> float:
    if np.size(x) == 2:
        x, n = x[0], x[0] + x[1]
    return float(importlib.import_module("scipy.stats").binomtest(int(x), int(n), p, alternative).pvalue)


def _itemfreq(a: Any) -> np.ndarray:
    return np.array(np.unique(a, return_counts=True)).T


def _derivative(func: Any, x0: float, dx: float = 1.0, n: int = 1, args: Any = (), order: int = 3) -> Any:
    if (n, order) != (1, 3):
        raise UnsupportedError(
            "scipy.misc.derivative is here with n=1 and order=3. Use scipy.differentiate.derivative."
        )
    return (func(x0 + dx, *args) - func(x0 - dx, *args)) / (2 * dx)


_PICTURES = {
    "bytescale": "np.clip and astype(np.uint8)", "fromimage": "np.array(image)", "imread": "imageio.imread",
    "imresize": "np.array(Image.fromarray(a).resize((width, height)))", "imrotate": "Image.fromarray(a).rotate(angle)",
    "imsave": "imageio.imwrite", "imshow": "plt.imshow", "toimage": "Image.fromarray",
}  # fmt: skip
_WINDOWS = (
    "barthann bartlett blackman blackmanharris bohman boxcar chebwin cosine flattop gaussian general_gaussian hamming "
    "hann kaiser nuttall parzen triang tukey"
)
NAMES: dict[str, Names] = {
    "scipy": {
        **{name: f"numpy.{name}" for name in np.__all__},
        "misc": Modern("Pillow and imageio", "scipy.misc"),
        "ifft": "scipy.fft.ifft",
        "rand": "numpy.random.rand",
        "randn": "numpy.random.randn",
        "random": "numpy.random",
    },
    "scipy.misc": {
        **{name: Modern(modern, getattr(scipy_misc, name)) for name, modern in _PICTURES.items()},
        **{name: f"scipy.special.{name}" for name in ("comb", "factorial", "factorial2", "factorialk", "logsumexp")},
        **{name: f"scipy.datasets.{name}" for name in ("ascent", "electrocardiogram", "face")},
        "derivative": Modern("scipy.differentiate.derivative", _derivative),
    },
    "scipy.ndimage": {"imread": Modern("imageio.imread", scipy_misc.imread)},
    "scipy.integrate": {
        "cumtrapz": "scipy.integrate.cumulative_trapezoid",
        "simps": Modern("scipy.integrate.simpson(y, x=x)", _simps),
        "trapz": "scipy.integrate.trapezoid",
    },
    "scipy.linalg": {"pinv2": "scipy.linalg.pinv"},
    "scipy.signal": {name: f"scipy.signal.windows.{name}" for name in _WINDOWS.split()},
    "scipy.stats": {
        "binom_test": Modern("scipy.stats.binomtest(k, n).pvalue", _binom_test),
        "itemfreq": Modern("np.unique(a, return_counts=True)", _itemfreq),
    },
}


MOVED = {
    **dict.fromkeys(
        ("scipy.misc", "scipy.misc.pilutil"), Modern("Pillow and imageio", "scene_lightning.compat.removed.scipy_misc")
    ),
    **dict.fromkeys(
        (f"scipy.ndimage.{place}" for place in ("filters", "interpolation", "measurements", "morphology")),
        to("scipy.ndimage"),
    ),
}
