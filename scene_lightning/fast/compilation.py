"""Calls a model through torch.compile, and plainly wherever that fails.

Compiled code gives the same numbers to rounding (it joins pooling, activations and sums, and leaves the products to
the same libraries), but making it costs seconds. So `compile(jit_compile=True)` asks for it, `False` forbids it, and
"auto", the default, takes it for a prediction with so much to compute that it pays, on the CPU. "reduce-overhead" asks
for CUDA graphs too, which start a GPU's many small steps as one.

Code is made once a model, phase and shape of batch, and kept as long as the model lives. Weights are inputs of it, so
that it answers for those of the moment; all else that it depends on (layers, dtypes, `trainable`, hooks, the switch of
the fast paths) torch checks at each call, and makes it anew where something has changed. Inductor's files are kept for
the next process.
"""

from __future__ import annotations

import itertools
import os
import re
import tempfile
import types
import warnings
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from scene_lightning.data.cache import cache_folder
from scene_lightning.fast.switch import fast_paths_enabled
from scene_lightning.tree import map_structure

LEAST_SAMPLES = 1_000
"""With fewer ahead "auto" doesn't count what a sample costs."""
LEAST_WORK = 1.6e13
"""Floating-point operations from which "auto" compiles: 30,000 photographs of the paper's network. On two CPU cores
compiling it takes 5 to 15 s, and saves a seventh of the time; see docs/speed.md."""

JIT_CHOICES = (True, False, "auto", "reduce-overhead")  # what compile(jit_compile=...) takes

_CACHED = "_compiled_calls"
_MOST_SHAPES = 4  # of batches, a model and phase
_numbers = itertools.count()


def _keep_inductors_files() -> None:
    """In a folder for the next process, unless the user has named one; torch names one of its own as it is imported."""
    given, name = os.environ.get("TORCHINDUCTOR_CACHE_DIR", ""), os.path.join(tempfile.gettempdir(), "torchinductor_")
    if not given or re.fullmatch(re.escape(name) + r"[^/]*", given):
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache_folder() / "inductor")


def _gradient_at_once(training: bool) -> AbstractContextManager[None]:
    """Within the block torch compiles the backward pass with the forward one: later, nobody would catch its errors."""
    if not training:
        return nullcontext()
    from torch._functorch import config  # with torch's compiler, which starting need not wait for

    known = hasattr(config, "force_non_lazy_backward_lowering")
    return config.patch(force_non_lazy_backward_lowering=True) if known else nullcontext()  # type: ignore[attr-defined]


def _run(model: Any, x: Any, training: bool) -> Any:
    return model(x, training=training)


class _CompiledCall:
    """A model's call in one phase, compiled for the shapes of batch that runs have begun with; others go plainly.

    Args:
        training: the phase.
        graphs: whether to replay CUDA graphs.

    Attributes:
        reason: why the plain call is taken from now on, or None.
    """

    def __init__(self, training: bool, graphs: bool) -> None:
        self._training, self._graphs = training, graphs
        self._shapes: set[tuple[Any, ...]] = set()
        self.reason: str | None = None
        # torch keeps what it makes with the code of a function, and makes no more than a few versions of each.
        code = _run.__code__.replace(co_name=f"run_{next(_numbers)}")
        _keep_inductors_files()
        mode = "reduce-overhead" if graphs else None
        self._call: Any = torch.compile(types.FunctionType(code, _run.__globals__), dynamic=False, mode=mode)

    def call(self, model: Any, x: Any, may_compile: bool) -> Any:
        """The model's outputs.

        Args:
            model: the model.
            x: its inputs.
            may_compile: whether a shape that is new is worth it.
        """
        if self.reason is not None or not isinstance(x, torch.Tensor):
            return _run(model, x, self._training)
        key = (x.shape, x.dtype, x.device, torch.is_autocast_enabled(x.device.type))
        if key not in self._shapes and not (may_compile and len(self._shapes) < _MOST_SHAPES):
            return _run(model, x, self._training)
        self._shapes.add(key)
        try:
            if self._graphs:
                torch.compiler.cudagraph_mark_step_begin()
            with _gradient_at_once(self._training):
                outputs = self._call(model, x, self._training)
            if not self._graphs:
                return outputs
            # the next replay writes where these lie; in training they are used up by then, and their gradient's graph
            return outputs if self._training else map_structure(torch.clone, outputs)
        except Exception as error:  # no C++ compiler, an operation it does not know: torch names a hundred kinds
            cause = getattr(error, "inner_exception", error)  # of torch's own that say only that something failed
            self.reason = f"{type(cause).__name__}: {str(cause).strip().partition(chr(10))[0]}"
            warnings.warn(
                f"torch.compile failed ({self.reason}); the model runs uncompiled. Pass compile(jit_compile=False) to "
                "leave it out.",
                stacklevel=1,
            )
            return _run(model, x, self._training)


class _OfARun:
    """The compiled call as one run uses it: only its first batch's shape is compiled for, not that of its last.

    Args:
        call: the model's, kept from run to run.
        samples: how many are ahead, where "auto" counts what they cost; None: it was asked for.
    """

    def __init__(self, call: _CompiledCall, samples: int | None) -> None:
        self._compiled, self._samples = call, samples
        self._first = True

    def __call__(self, model: Any, x: Any) -> Any:
        first, self._first = self._first, False
        if first and self._samples is not None:
            if not isinstance(x, torch.Tensor) or x.device.type != "cpu":
                return _run(model, x, False)
            with FlopCounterMode(display=False) as counter:
                outputs = _run(model, x, False)
            worth_it = counter.get_total_flops() / len(x) * self._samples >= LEAST_WORK
            self._first, self._samples = worth_it, None
            return outputs
        return self._compiled.call(model, x, first)


_made: weakref.WeakKeyDictionary[Any, dict[tuple[bool, bool], _CompiledCall]] = weakref.WeakKeyDictionary()


def worth_compiling(jit_compile: Any, samples: int | None, training: bool) -> bool:
    """Whether to compile, or to count whether it pays.

    Args:
        jit_compile: what `compile(jit_compile=...)` was given.
        samples: how many are ahead; None: unknown.
        training: "auto" leaves training alone: compiled, it was slower on the CPU.
    """
    if not fast_paths_enabled() or jit_compile is False:
        return False
    return asked_for(jit_compile) or (not training and samples is not None and samples >= LEAST_SAMPLES)


def asked_for(jit_compile: Any) -> bool:
    """Whether `compile(jit_compile=...)` was given what always compiles.

    Args:
        jit_compile: one of `JIT_CHOICES`.
    """
    return jit_compile is True or jit_compile == "reduce-overhead"


@contextmanager
def compiled(model: Any, samples: int | None, *phases: bool) -> Iterator[None]:
    """Let the steps of a run call the model through torch.compile within the block, where that is worth it.

    Args:
        model: the model, with its `jit_compile`.
        samples: how many are ahead; None: unknown.
        *phases: True for training, False for evaluation and prediction, or both.
    """
    wanted = [training for training in phases if worth_compiling(model.jit_compile, samples, training)]
    if not wanted:
        yield
        return
    before = model.__dict__.get(_CACHED)
    kept, graphs = _made.setdefault(model, {}), model.jit_compile == "reduce-overhead"
    for training in wanted:
        if (training, graphs) not in kept:
            kept[training, graphs] = _CompiledCall(training, graphs)
    counted = None if asked_for(model.jit_compile) else samples
    calls = {training: _OfARun(kept[training, graphs], counted) for training in wanted}
    model.__dict__[_CACHED] = {**(before or {}), **calls}
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
    compiled_call: _OfARun | None = model.__dict__.get(_CACHED, {}).get(training)
    return model(x, training=training) if compiled_call is None else compiled_call(model, x)
