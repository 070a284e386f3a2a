"""Fits the classifier of a frozen backbone to the features that its epochs have computed: logistic regression.

The features pass through the network in training anyway; a regression on all of them finds in a second what the
optimizer would need many epochs for. Fine-tuning from a fitted classifier also distorts the features less (Kumar and
others, "Fine-tuning can distort pretrained features and underperform out-of-distribution", 2022).
"""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor

from scene_lightning.recipes.backbones import CLASSIFIER, FEATURES
from scene_lightning.recipes.recipe import Recipe

MOST_FEATURES = 50_000  # rows kept, 2.5 KB each for EfficientNet-Lite: the first ones of the run
_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)  # of the L2 penalty; a fifth of the rows chooses
_STEPS = 60


class FitClassifier(L.Callback):
    """Fits the classifier before each validation of an epoch in which the backbone is frozen.

    Its state, the features of the epochs so far, is in checkpoints, so that a run that is resumed in such an epoch
    ends with the same weights. On several devices nothing is fitted: the optimizer's classifier stays.

    Args:
        recipe: says in which epochs the backbone is frozen, and whether labels exclude one another.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._always, self._epochs = recipe.model.freeze is True, recipe.model.head_epochs
        self._several_labels = recipe.training.loss.startswith("binary_")
        self._smoothing = recipe.training.label_smoothing
        self._features: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._weights: list[Tensor] = []
        self._hook: Any = None
        self._seen: Tensor | None = None

    def state_dict(self) -> dict[str, Any]:
        if not self._features:
            return {}
        rows = {"features": self._features, "targets": self._targets, "weights": self._weights}
        return {name: torch.cat(parts) for name, parts in rows.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict:
            self._features, self._targets = [state_dict["features"]], [state_dict["targets"]]
            self._weights = [state_dict["weights"]]

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        if trainer.world_size == 1:
            self._hook = pl_module.get_layer(FEATURES).register_forward_pre_hook(self._note)

    def _note(self, layer: Any, inputs: tuple[Tensor, ...]) -> None:
        self._seen = inputs[0].detach()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        seen, self._seen = self._seen, None
        if seen is None or not self._is_frozen(trainer) or sum(map(len, self._features)) >= MOST_FEATURES:
            return
        targets, weights = batch[1], batch[2] if len(batch) > 2 else None
        self._features.append(seen.half().cpu())
        self._targets.append(targets.detach().cpu())
        self._weights.append(torch.ones(len(seen)) if weights is None else weights.detach().float().cpu())

    def _is_frozen(self, trainer: L.Trainer) -> bool:
        return self._always or trainer.current_epoch < self._epochs

    def on_validation_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        if not self._features or trainer.sanity_checking or not self._is_frozen(trainer):
            return
        rows = self.state_dict()
        classifier = pl_module.get_layer(CLASSIFIER)
        kernel, bias = fitted_classifier(
            rows["features"].float(), rows["targets"], rows["weights"], classifier.kernel.shape[-1],
            several_labels=self._several_labels, smoothing=self._smoothing,
        )  # fmt: skip
        with torch.no_grad():
            classifier.kernel.copy_(kernel)
            classifier.bias.copy_(bias)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        if not self._always and trainer.current_epoch + 1 >= self._epochs:
            self._features, self._targets, self._weights = [], [], []  # the backbone learns from here on

    def teardown(self, trainer: L.Trainer, pl_module: Any, stage: str) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def on_exception(self, trainer: L.Trainer, pl_module: Any, exception: BaseException) -> None:
        self.teardown(trainer, pl_module, "fit")


def fitted_classifier(
    features: Tensor,
    targets: Tensor,
    weights: Tensor,
    num_classes: int,
    *,
    several_labels: bool = False,
    smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Fit a linear classifier, with the L2 penalty that a held-out fifth of the rows likes best.

    Args:
        features: (N, D) float32.
        targets: (N,) class numbers, or (N, K) shares of classes or labels.
        weights: (N,) of the rows.
        num_classes: K.
        several_labels: whether labels exclude one another (softmax) or not (sigmoid).
        smoothing: label smoothing, as the loss of the recipe has it.

    Returns:
        (kernel (D, K), bias (K,)): logits are `features @ kernel + bias`.
    """
    if targets.ndim == 1 or (targets.ndim == 2 and targets.shape[1] == 1 != num_classes):
        targets = torch.nn.functional.one_hot(targets.reshape(-1).long(), num_classes)
    targets = targets.float() * (1 - smoothing) + smoothing / (2 if several_labels else num_classes)
    mean, spread = features.mean(0), features.std(0, correction=0).clamp_min(1e-6)
    scaled = (features - mean) / spread
    held_out = torch.arange(len(scaled)) % 5 == 4
    strength = _STRENGTHS[1]
    if held_out.sum() >= 2 * num_classes:
        kept = ~held_out
        losses = {}
        for one in _STRENGTHS:
            kernel, bias = _minimum(scaled[kept], targets[kept], weights[kept], one, several_labels)
            logits = scaled[held_out] @ kernel + bias
            losses[one] = float(_loss(logits, targets[held_out], weights[held_out], several_labels))
        strength = min(losses, key=losses.__getitem__)
    kernel, bias = _minimum(scaled, targets, weights, strength, several_labels)
    kernel = kernel / spread[:, None]
    return kernel, bias - mean @ kernel


def _minimum(x: Tensor, y: Tensor, weights: Tensor, strength: float, several_labels: bool) -> tuple[Tensor, Tensor]:
    kernel = torch.zeros(x.shape[1], y.shape[1], requires_grad=True)
    bias = torch.zeros(y.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([kernel, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = _loss(x @ kernel + bias, y, weights, several_labels) + strength * kernel.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad(), torch.inference_mode(False):
        optimizer.step(closure)
    return kernel.detach(), bias.detach()


def _loss(logits: Tensor, y: Tensor, weights: Tensor, several_labels: bool) -> Tensor:
    if several_labels:
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none").sum(1)
    else:
        each = -(y * torch.log_softmax(logits, 1)).sum(1)
    return (each * weights).sum() / weights.sum().clamp_min(1e-12)
