"""Puts the tensors of a torch state dict into the weights of Keras layers, transposed and reordered for these."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from scene_lightning.errors import FileFormatError

Source = tuple[torch.Tensor, str, Callable[[torch.Tensor], torch.Tensor]]


@dataclass(frozen=True)
class Binding:
    """Says which torch tensors a Keras layer takes its weights from, and how they lie.

    Attributes:
        layer: the Keras layer.
        path: the dotted path of its torch module.
        kind: how torch's tensors lie: "convolution", "depthwise", "linear", "batch_norm", "layer_norm" or
            "channel_scale".
        grid: (height, width, channels) of the feature maps that a Flatten in front of it takes; None without
            one.
    """

    layer: Any
    path: str
    kind: str
    grid: tuple[int, ...] | None = None

    def sources(self) -> list[Source]:
        """(weight to fill, key in the state dict, how to bring torch's tensor into Keras' shape)."""
        layer, path = self.layer, self.path
        if self.kind == "channel_scale":
            return [(layer.kernel, path, lambda scale: scale.reshape(1, 1, -1, 1))]
        if self.kind in ("batch_norm", "layer_norm"):
            names = [("gamma", "weight"), ("beta", "bias")]
            if self.kind == "batch_norm":
                names += [("moving_mean", "running_mean"), ("moving_variance", "running_var")]
            return [
                (getattr(layer, ours), f"{path}.{theirs}", _unchanged)
                for ours, theirs in names
                if getattr(layer, ours) is not None
            ]
        kernels: dict[str, Any] = {"convolution": _hwio, "depthwise": self._depthwise, "linear": self._linear}
        sources: list[Source] = [(layer.kernel, f"{path}.weight", kernels[self.kind])]
        if layer.bias is not None:
            sources.append((layer.bias, f"{path}.bias", _unchanged))
        return sources

    def _depthwise(self, kernel: torch.Tensor) -> torch.Tensor:
        """(C·m, 1, H, W) → (H, W, C, m)."""
        channels = self.layer.kernel.shape[2]
        return kernel.reshape(channels, -1, *kernel.shape[2:]).permute(2, 3, 0, 1)

    def _linear(self, kernel: torch.Tensor) -> torch.Tensor:
        """(out, in) → (in, out); after a Flatten the rows come as H, W, C instead of C, H, W."""
        if self.grid is not None:
            height, width, depth = self.grid
            if kernel.shape[1] == height * width * depth:
                kernel = kernel.reshape(-1, depth, height, width).permute(0, 2, 3, 1).reshape(kernel.shape)
        return kernel.t()


def _unchanged(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _hwio(kernel: torch.Tensor) -> torch.Tensor:
    """(O, I, H, W) → (H, W, I, O)."""
    return kernel.permute(2, 3, 1, 0)


def load_state(bindings: Sequence[Binding], state: Mapping[str, Any], where: str, torch_names: set[str]) -> None:
    """Fill the layers from `state`; nothing is changed when anything is missing, left over or of another shape.

    Args:
        bindings: which layer takes which tensors.
        state: names and tensors as torchvision writes them.
        where: the file, for messages.
        torch_names: every name that the whole network has; the top's may be there without being used.

    Raises:
        FileFormatError: the tensors belong to another network.
    """
    planned: list[tuple[torch.Tensor, torch.Tensor]] = []
    for binding in bindings:
        for weight, key, convert in binding.sources():
            if key not in state:
                raise FileFormatError(f"{where} has no {key!r}, which layer {binding.layer.name!r} needs: {_HINT}")
            stored = state[key]
            if not isinstance(stored, torch.Tensor):
                raise FileFormatError(f"{where} holds a {type(stored).__name__} as {key!r}. Expected a tensor.")
            fits = stored.ndim in (1, 2, 3, 4) and stored.numel() == weight.numel()
            values = convert(stored) if fits else stored
            if values.shape != weight.shape:
                raise FileFormatError(
                    f"{where}: {key!r} has the shape {tuple(stored.shape)}, which does not fit the weight "
                    f"{tuple(weight.shape)} of layer {binding.layer.name!r}. Were `classes`, `input_shape` or `alpha` "
                    "others when the file was made?"
                )
            planned.append((weight, values))
    strangers = sorted(key for key in state if key not in torch_names and not _is_auxiliary(key))
    if strangers:
        raise FileFormatError(f"{where} holds {len(strangers)} tensors too many, {strangers[0]!r} first: {_HINT}")
    with torch.no_grad():
        for weight, values in planned:
            weight.copy_(values)


def with_present_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """Renames what torchvision's DenseNet files still call `norm.1.weight` to today's `norm1.weight`.

    Args:
        state: name → tensor.
    """
    return {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in state.items()}


_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\.(?:weight|bias|running_mean|running_var))$")
_HINT = "is it the state_dict of torchvision's network of this name?"


def _is_auxiliary(key: str) -> bool:
    """Inception's and GoogLeNet's second classifiers, which only training from scratch uses."""
    return key.startswith(("AuxLogits.", "aux1.", "aux2."))
