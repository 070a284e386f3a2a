"""Faster ways to the numbers that layers give, each with the plain way a switch away.

| path | what it changes | equal to the plain one |
|---|---|---|
| `reordering` | max-pooling before ReLU and, in training, bias: a quarter of the work | exactly; bias to rounding |
| `dropout` | masks from whole random integers, on the CPU | in distribution: the rate to 2⁻¹⁷ |
| `compilation` | the model's call through torch.compile, where asked for or worth it | to rounding |
| `folding` | prediction: BatchNormalization inside the next (or last) layer's weights, no Dropout | to rounding |
| `packing` | prediction of a few images in float32: kernels laid out for oneDNN once, not at each call | to rounding |
| `affine` | training: a frozen BatchNormalization inside the weights of the layer before it | to rounding |
| `pooling` | prediction on the CPU: 2x2 max-pooling without its table of positions | exactly |
| `kernel_gradient` | training in float32 with AVX2: the gradient of kernels by matrix products | to rounding |
| `winograd` | in float32 with AVX2: 3x3 kernels of 256 channels and more by a quarter of the products | to rounding |
| `depthwise` | training in bfloat16 on the CPU: the gradient of kernels above 3x3 by matrix products | to rounding |
| `memory` | freed memory is kept for the next step, on Linux, from this import on | exactly |

`scene_lightning.config.set_fast_paths(False)`, or SCENE_LIGHTNING_FAST=0 in the environment, turns them all off.
"""

from scene_lightning.fast.compilation import JIT_CHOICES, asked_for, call, compiled, worth_compiling
from scene_lightning.fast.folding import current_folds, folded, forget_folds, refold
from scene_lightning.fast.memory import keep_freed_memory
from scene_lightning.fast.reordering import Folds, followers, graph_calls, joined_pairs, stack_calls
from scene_lightning.fast.switch import fast_paths_enabled, plain_paths, set_fast_paths

__all__ = [
    "JIT_CHOICES", "Folds", "asked_for", "call", "compiled", "current_folds", "fast_paths_enabled", "folded",
    "followers", "forget_folds", "graph_calls", "joined_pairs", "plain_paths", "refold", "set_fast_paths",
    "stack_calls", "worth_compiling",
]  # fmt: skip

if fast_paths_enabled():
    keep_freed_memory()
