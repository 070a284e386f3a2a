"""Finds the layers of a network whose outputs are maps over the picture, and lets one of them be watched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from scene_lightning._registry import did_you_mean
from scene_lightning.errors import InputError
from scene_lightning.layers import BatchNormalization, ZeroPadding2D

_CHANNELS_FIRST = (
    nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.GroupNorm, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
)  # fmt: skip
_SHIFTING = (BatchNormalization, nn.BatchNorm2d, ZeroPadding2D, nn.ZeroPad2d)
_MOST_NAMED = 12  # layers that an error lists


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer in a forward pass.

    Attributes:
        layer: the layer.
        path: names of the models around it and its own: "backbone/top_conv".
        number: which call of this layer it was, from 0.
        shape: of its output, batch axis first; None where that is no tensor.
        channels_first: whether its output's second axis holds the channels, if it has four.
    """

    layer: nn.Module
    path: str
    number: int
    shape: tuple[int, ...] | None
    channels_first: bool

    @property
    def name(self) -> str:
        """The layer's own name."""
        return self.path.rpartition("/")[2]

    @property
    def places(self) -> int:
        """Of the shorter side of its map; 0 where it has none."""
        if self.shape is None or len(self.shape) != 4:
            return 0
        return min(self.shape[2:] if self.channels_first else self.shape[1:3])

    @property
    def is_spatial(self) -> bool:
        """Whether the output has at least two places in each direction of the picture."""
        return self.places > 1

    @property
    def mixes_places(self) -> bool:
        """Whether its outputs are no longer in the place of what they speak of: attention, weights over tokens."""
        attends = "attention" in type(self.layer).__name__.lower()
        has_weights = next(iter(self.layer.parameters(recurse=False)), None) is not None
        return attends or (self.shape is not None and len(self.shape) == 3 and has_weights)


def layer_calls(model: nn.Module, run: Callable[[], Any], channels_first: bool = False) -> list[LayerCall]:
    """The calls of a model's layers during one forward pass, in the order in which they end.

    Of a model within the model whose output is that of its last layer, and of a layer that gives back what it was
    given, only the one that made the tensor is listed.

    Args:
        model: its own call is not listed.
        run: calls the model.
        channels_first: whether the model takes (batch, channels, height, width).
    """
    calls: list[LayerCall] = []
    names = {module: path.rpartition(".")[2] for path, module in model.named_modules()}
    around: list[str] = []
    seen: Counter[nn.Module] = Counter()
    last: list[tuple[Tensor, int]] = []  # the output before, and how often it had been changed in place

    def before(layer: nn.Module, args: Any) -> None:
        around.append(str(getattr(layer, "name", None) or names[layer]))

    def after(layer: nn.Module, args: Any, output: Any) -> None:
        path = "/".join(around)
        around.pop()
        number, seen[layer] = seen[layer], seen[layer] + 1
        nonlocal channels_first
        data_format = getattr(layer, "data_format", None)
        if data_format in ("channels_first", "channels_last"):
            channels_first = data_format == "channels_first"
        elif isinstance(layer, _CHANNELS_FIRST):
            channels_first = True
        tensor = output if isinstance(output, Tensor) else None
        if tensor is not None:
            if any(_same(tensor, *other) for other in last):
                return
            last[:] = [(tensor, tensor._version)]
        shape = None if tensor is None or not tensor.is_floating_point() else tuple(tensor.shape)
        calls.append(LayerCall(layer, path, number, shape, channels_first))

    hooks = []
    for module in model.modules():
        if module is not model:
            hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _same(one: Tensor, other: Tensor, version: int) -> bool:
    return one.shape == other.shape and one.data_ptr() == other.data_ptr() and one._version == version


def last_spatial(
    calls: Sequence[LayerCall], carries_all: Callable[[LayerCall], bool], finer_than: float = 0
) -> LayerCall | None:
    """The last layer whose output is a map that all of the answer is read from, not one branch of several.

    A BatchNormalization shifts each channel, so that places where nothing was found would count, and padding shifts
    the map: the layer before is taken.

    Args:
        calls: of one forward pass.
        carries_all: whether nothing of the picture gets past a call's output.
        finer_than: places that the map's shorter side should have at least; where no map has, coarser ones will do.

    Returns:
        None without such a layer, or where attention or layers over tokens follow it.
    """
    last_mixing = max((place for place, call in enumerate(calls) if call.mixes_places), default=-1)
    maps = [call for call in reversed(calls[last_mixing + 1 :]) if call.is_spatial]
    maps = [call for call in maps if not isinstance(call.layer, _SHIFTING)] or maps
    fine = [call for call in maps if call.places >= finer_than]
    coarse = [call for call in maps if call.places < finer_than]
    return next((call for call in (*fine, *coarse) if carries_all(call)), maps[0] if maps else None)


def named_spatial(calls: Sequence[LayerCall], name: str) -> LayerCall:
    """The layer that a name or a path ("backbone/top_conv") means; of several calls the last.

    Args:
        calls: of one forward pass.
        name: what was asked for.

    Raises:
        InputError: no layer of that name, several, or one without a map.
    """
    matches = {call.path: call for call in calls if name in (call.path, call.name)}
    matches = {name: matches[name]} if name in matches else matches
    maps = [call.path for call in calls if call.is_spatial]
    if not matches:
        hint = did_you_mean(name, [*dict.fromkeys([*maps, *(path.rpartition("/")[2] for path in maps)])])
        raise InputError(f"No layer {name!r}.{hint} The layers with maps over the picture end with: {_last_of(maps)}.")
    if len(matches) > 1:
        raise InputError(f"Several layers are called {name!r}. Name one of them by its path: {', '.join(matches)}.")
    call = next(iter(matches.values()))
    if not call.is_spatial:
        raise InputError(
            f"Layer {name!r} has no map over the picture: its outputs have the shape "
            f"{(None, *call.shape[1:]) if call.shape else 'of no tensor'}. Those with maps end with: {_last_of(maps)}."
        )
    return call


def _last_of(paths: Sequence[str]) -> str:
    return ", ".join(list(dict.fromkeys(paths))[-_MOST_NAMED:]) or "none"


class Tap(nn.Identity):
    """Shows what one call of a layer gives, as (batch, channels, height, width), and lets gradients be taken there.

    A gradient reaches that place whether or not the weights before it are frozen. The tap lies in the model until it is
    removed, so the model should be a copy.

    Args:
        call: whose output is wanted.
        blocking: whether gradients end there, as at a wall.
    """

    def __init__(self, call: LayerCall, blocking: bool = False) -> None:
        super().__init__()
        self._call, self._calls, self._blocking = call, 0, blocking
        self._hook = call.layer.register_forward_hook(self._lead_through)

    def remove(self) -> None:
        """Take the tap out of the model."""
        self._hook.remove()

    def restart(self) -> None:
        """To be called before each forward pass of the model."""
        self._calls = 0

    def _lead_through(self, layer: nn.Module, args: Any, output: Tensor) -> Tensor:
        number, self._calls = self._calls, self._calls + 1
        if number != self._call.number:
            return output
        maps = output if self._call.channels_first else output.permute(0, 3, 1, 2)
        if self._blocking or (torch.is_grad_enabled() and not maps.requires_grad):
            maps = maps.detach().requires_grad_()
        maps = self(maps)
        return maps if self._call.channels_first else maps.permute(0, 2, 3, 1)
