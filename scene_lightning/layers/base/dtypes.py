"""Dtypes in any of their spellings, as names or as torch dtypes."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning._settings import dtype_name, torch_dtype

MIXED = ("mixed_float16", "mixed_bfloat16")


def policy_name(dtype: Any) -> str:
    """The same for a layer, whose `dtype` may be a policy such as "mixed_bfloat16": its own name then.

    Args:
        dtype: a dtype, a policy, the name of either or a policy's config.
    """
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name", "float32")
    name = str(getattr(dtype, "name", dtype))
    return name if name in MIXED else dtype_name(name)


def computed_in(policy: str | None) -> str:
    """The dtype of a layer's weights and inputs. A mixed policy leaves both in float32: its speed is that of the run,
    which `precision` of the verbs or the global policy decides.

    Args:
        policy: name of a dtype or a policy; None: the default.
    """
    return "float32" if policy is None or policy in MIXED else policy


def as_declared(inputs: torch.Tensor, declared: Any) -> torch.Tensor:
    """A model's input in the dtype that its `Input` declares: integers and float64 become that floating type.

    Lightning's "64-true" and "bf16-true" make another dtype torch's default while they run, and the weights' own.

    Args:
        inputs: one input of the model.
        declared: dtype of the `Input`, as its name or as torch's.
    """
    wanted = torch_dtype(declared)
    wanted = torch.get_default_dtype() if wanted == torch.float32 else wanted
    if wanted.is_floating_point and (not inputs.is_floating_point() or inputs.dtype == torch.float64):
        return inputs.to(wanted)
    return inputs
