"""`tf.Module`: an object that knows the variables, layers and modules among its attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from scene_lightning.compat.tensorflow.runtime import name_scope
from scene_lightning.layers import Layer
from scene_lightning.tree import flatten


class Module:
    """Base class of a program's own blocks. TensorFlow: `tf.Module`.

    Args:
        name: None for the class's, in lower case.
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name or type(self).__name__.lower()

    @property
    def name(self) -> str:
        """The name that was given, or the class's."""
        return getattr(self, "_name", type(self).__name__.lower())

    @property
    def name_scope(self) -> Any:
        """A `tf.name_scope` of this name, without effect."""
        return name_scope(self.name)

    @staticmethod
    def with_name_scope(method: Callable[..., Any]) -> Callable[..., Any]:
        """Gives the method as it is."""
        return method

    def _leaves(self) -> Iterator[torch.Tensor]:
        for key in sorted(vars(self)):  # TensorFlow's order: by the attribute's name
            yield from _tensors_of(vars(self)[key])

    @property
    def variables(self) -> tuple[torch.Tensor, ...]:
        """All variables in the attributes, each once."""
        by_identity = {id(leaf): leaf for leaf in self._leaves()}
        return tuple(by_identity.values())

    @property
    def trainable_variables(self) -> tuple[torch.Tensor, ...]:
        """The variables that have gradients."""
        return tuple(leaf for leaf in self.variables if leaf.requires_grad)

    @property
    def submodules(self) -> tuple[Any, ...]:
        """The layers and modules among the attributes."""
        return tuple(value for value in vars(self).values() if isinstance(value, Layer | Module))


def _tensors_of(value: Any) -> Iterator[torch.Tensor]:
    for part in flatten(value):
        if isinstance(part, Layer):
            yield from part.weights
        elif isinstance(part, Module):
            yield from part._leaves()
        elif isinstance(part, torch.Tensor) and part.is_leaf:
            yield part
