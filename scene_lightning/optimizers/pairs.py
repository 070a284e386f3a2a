"""Takes optimizers' steps from (gradient, weight) pairs, as programs with loops of their own do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from scene_lightning._registry import naming_unknown_words
from scene_lightning.optimizers.variable import ScalarVariable


class TakesPairs:
    """Mixed into optimizers that have `apply(gradients, weights)`."""

    _iterations: ScalarVariable

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Tensor]) -> None:
        """Take one step; the optimizer's own class says how."""
        raise NotImplementedError

    @naming_unknown_words
    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Tensor]],
        name: str | None = None,
        global_step: Any = None,
        skip_gradients_aggregation: bool = False,
        experimental_aggregate_gradients: bool = True,
    ) -> ScalarVariable:
        """Take one step from (gradient, weight) pairs. Keras: `Optimizer.apply_gradients`.

        Args:
            grads_and_vars: pairs of a gradient (a tensor, or None to leave the weight as it is) and a weight.
            name, global_step, skip_gradients_aggregation, experimental_aggregate_gradients: Keras 1's and 2's, without
                effect.

        Returns:
            The step count.

        Raises:
            InputError: not one gradient was given, or a shape does not fit.
        """
        pairs = list(grads_and_vars)
        self.apply([grad for grad, _ in pairs], [variable for _, variable in pairs])
        return self._iterations
