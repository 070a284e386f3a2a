"""Calls a model through torch.compile, and plainly wherever that fails.

Compiled code gives the same numbers to rounding (it joins pooling, activations and sums, and leaves the products to
the same libraries), but making it costs tens of seconds. So `compile(jit_compile=True)` asks for it, `False` forbids
it, and "auto", the default, takes it for a prediction so long that it pays.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from scene_lightning.fast.switch import fast_paths_enabled

LEAST_SAMPLES = 100_000
"""From here on "auto" compiles a prediction. On two CPU cores compiling the paper's network took 5 to 26 s and made
float32 a tenth faster, so that it pays from some 70,000 photographs; see `benchmarks/results`."""

_CACHED = "_compiled_calls"


class _CompiledCall:
    """`model(x, training=...)`, compiled; batches of another shape than the first go the plain way.

    Attributes:
        reason: why the plain call is taken from now on, or None.
    """

    def __init__(self, model: Any, training: bool) -> None:
        self._model, self._training = model, training
        self._shape: torch.Size | None = None
        self.reason: str | None = None
        # A prediction's weights become constants of the code, laid out as the kernels want them.
        self._call: Any = torch.compile(self._plain, options=None if training else {"freezing": True})

    def _plain(self, x: Any) -> Any:
        return self._model(x, training=self._training)

    def __call__(self, x: Any) -> Any:
        if self.reason is not None or not isinstance(x, torch.Tensor):
            return self._plain(x)
        self._shape = self._shape or x.shape
        if x.shape != self._shape:  # the last batch: not worth compiling again
            return self._plain(x)
        try:
            return self._call(x)
        except Exception as error:  # no C++ compiler, an operation it does not know: torch names a hundred kinds
            self.reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            warnings.warn(
                f"torch.compile failed ({self.reason}); the model runs uncompiled. Pass compile(jit_compile=False) to "
                "leave it out.",
                stacklevel=1,
            )
            return self._plain(x)


def worth_compiling(jit_compile: Any, samples: int | None, training: bool) -> bool:
    """Whether to compile.

    Args:
        jit_compile: what `compile(jit_compile=...)` was given.
        samples: how many are ahead; None: unknown.
        training: "auto" leaves training alone: compiled, it was slower on the CPU.
    """
    if not fast_paths_enabled() or jit_compile is False:
        return False
    return jit_compile is True or (not training and samples is not None and samples >= LEAST_SAMPLES)


@contextmanager
def compiled(model: Any, use: bool, training: bool) -> Iterator[None]:
    """Let Lightning's steps of a phase call the model through torch.compile, within the block.

    Args:
        model: the model.
        use: whether to; False changes nothing.
        training: the phase: training, or prediction.
    """
    if not use:
        yield
        return
    before = model.__dict__.get(_CACHED)
    model.__dict__[_CACHED] = {**(before or {}), training: _CompiledCall(model, training)}
    try:
        yield
    finally:
        del model.__dict__[_CACHED]
        if before is not None:  # a run inside a run
            model.__dict__[_CACHED] = before


def call(model: Any, x: Any, training: bool) -> Any:
    """Call a model, compiled where `compiled` says so.

    Args:
        model: the model.
        x: its inputs.
        training: whether layers such as Dropout train.
    """
    compiled_call: _CompiledCall | None = model.__dict__.get(_CACHED, {}).get(training)
    return model(x, training=training) if compiled_call is None else compiled_call(x)
