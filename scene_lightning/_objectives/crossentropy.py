"""Cross-entropies of class probabilities or logits with labels, one value a sample.

When the predictions still carry the logits that `softmax` or `sigmoid` left on them, those are used: the same number
without the clipping that stops gradients, as Keras on TensorFlow does. Plain probabilities are clipped to [ε, 1−ε].
Source: https://keras.io/api/losses/probabilistic_losses
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from scene_lightning._objectives.shapes import as_labels, as_prediction, as_target, check_same_shape, set_mask
from scene_lightning._settings import epsilon
from scene_lightning.errors import InputError

_warned: set[str] = set()


def _logits_of(name: str, y_pred: Tensor, from_logits: bool) -> tuple[Tensor, bool]:
    """(what to compute on, whether it is logits): the attached logits win over everything."""
    attached = getattr(y_pred, "_keras_logits", None)
    if attached is None or attached.shape != y_pred.shape:
        return y_pred, from_logits
    if from_logits and name not in _warned:
        _warned.add(name)
        warnings.warn(
            f"`{name}` received `from_logits=True`, but y_pred was made by a softmax or sigmoid activation and is "
            "not logits: its logits are used. Leave out the activation or from_logits.",
            stacklevel=4,
        )
    return attached.to(y_pred.dtype), True


def _log_probabilities(name: str, y_pred: Tensor, from_logits: bool, axis: int) -> Tensor:
    """Logarithms of the classes' probabilities along `axis`, from the logits where there are some."""
    output, is_logits = _logits_of(name, y_pred, from_logits)
    if is_logits:
        return torch.log_softmax(output, dim=axis)
    return torch.log(_clip(output / output.sum(dim=axis, keepdim=True)))


def _clip(p: Tensor) -> Tensor:
    return torch.clamp(p, epsilon(), 1.0 - epsilon())


def _check_axis(axis: Any) -> None:
    if isinstance(axis, bool):
        raise InputError(f"`axis` must be an int; received {axis!r}.")


def _one_hot_target(name: str, y_true: Any, y_pred: Tensor, label_smoothing: float) -> Tensor:
    target = as_target(y_true, y_pred)
    check_same_shape(
        name,
        target,
        y_pred,
        "For integer labels use loss='sparse_categorical_crossentropy', or make them one-hot with to_categorical()."
        if target.ndim < y_pred.ndim or target.shape[-1] == 1
        else "The last layer must have as many units as there are classes.",
    )
    if y_pred.shape[-1] == 1 and name not in _warned:
        _warned.add(name)
        warnings.warn(
            f"{name} on one output is always zero: use 'binary_crossentropy' for two classes.",
            SyntaxWarning,
            stacklevel=4,
        )
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + label_smoothing / target.shape[-1]
    return target


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """Cross-entropy of one-hot labels with class probabilities: −Σ t·log p over the classes.

    Args:
        y_true: one-hot labels or class probabilities of shape (batch, ..., classes).
        y_pred: class probabilities of shape (batch, ..., classes), or logits with from_logits=True.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: share of each label, in [0, 1], that is spread evenly over all classes.
        axis: axis of the classes.

    Returns:
        Tensor of shape (batch, ...): the class axis is gone.

    Raises:
        InputError: the shapes differ (integer labels need the sparse form).
    """
    _check_axis(axis)
    y_pred = as_prediction(y_pred)
    target = _one_hot_target("categorical_crossentropy", y_true, y_pred, label_smoothing)
    log_p = _log_probabilities("categorical_crossentropy", y_pred, from_logits, axis)
    return -(target * log_p).sum(dim=axis)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Tensor:
    """Cross-entropy of integer labels with class probabilities: −log p of the labelled class.

    Args:
        y_true: integer class labels of shape (batch, ...) or (batch, ..., 1).
        y_pred: class probabilities of shape (batch, ..., classes), or logits with from_logits=True.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        ignore_class: a label whose samples give 0 and are not counted in the mean (None: none).
        axis: axis of the classes.

    Returns:
        Tensor of shape (batch, ...): the class axis is gone.

    Raises:
        InputError: the labels' shape does not fit, or (on the CPU, where looking is free) a label is out of range.
    """
    _check_axis(axis)
    y_pred = as_prediction(y_pred)
    labels = as_labels(y_true, y_pred.device)
    if labels.ndim == y_pred.ndim and labels.shape[axis] == 1:
        labels = labels.squeeze(axis)
    expected = list(y_pred.shape)
    classes = expected.pop(axis)
    if list(labels.shape) != expected:
        raise InputError(
            f"sparse_categorical_crossentropy needs integer labels of shape {tuple(expected)} for y_pred "
            f"{tuple(y_pred.shape)}; received {tuple(labels.shape)}. For one-hot labels use "
            "loss='categorical_crossentropy'."
        )
    valid = None
    if ignore_class is not None:
        valid = labels != ignore_class
        labels = torch.where(valid, labels, 0)
    _check_range(labels, classes)
    log_p = _log_probabilities("sparse_categorical_crossentropy", y_pred, from_logits, axis)
    values = -torch.gather(log_p, axis, labels.unsqueeze(axis)).squeeze(axis)
    return values if valid is None else set_mask(torch.where(valid, values, 0.0), valid)


def _check_range(labels: Tensor, classes: int) -> None:
    # on a GPU looking would stop the queue, and a bad index is reported by the kernel
    if labels.device.type != "cpu" or labels.numel() == 0:
        return
    low, high = (int(v) for v in torch.aminmax(labels))
    if low < 0 or high >= classes:
        bad = low if low < 0 else high
        raise InputError(
            f"sparse_categorical_crossentropy: label {bad} is outside 0…{classes - 1}. The last layer must have as "
            "many units as there are classes, and labels count from 0."
        )


def _binary_target(name: str, y_true: Any, y_pred: Tensor, label_smoothing: float) -> Tensor:
    target = _every_output(name, as_target(y_true, y_pred), y_pred)
    check_same_shape(
        name,
        target,
        y_pred,
        f"For one label in {y_pred.shape[-1]} classes use 'sparse_categorical_crossentropy' or one-hot labels."
        if y_pred.ndim and y_pred.shape[-1] > 1
        else "The last layer needs one unit for each column of y_true.",
    )
    return target * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else target


def _every_output(name: str, target: Tensor, y_pred: Tensor) -> Tensor:
    """One label a sample beside several outputs is held against each of them, as tf.keras 2 broadcast it."""
    if y_pred.ndim < 2 or y_pred.shape[-1] == 1:
        return target
    column = target.unsqueeze(-1) if target.shape == y_pred.shape[:-1] else target
    if column.shape != (*y_pred.shape[:-1], 1):
        return target
    if "one label" not in _warned:
        _warned.add("one label")
        warnings.warn(
            f"`{name}` received one label a sample for {y_pred.shape[-1]} outputs: each output is held against the "
            "same number, as in tf.keras 2 (Keras 3 refuses it). For one class among several the loss is most likely "
            "meant to be 'sparse_categorical_crossentropy'.",
            stacklevel=5,
        )
    return column.expand_as(y_pred)


def _binary(name: str, target: Tensor, y_pred: Tensor, from_logits: bool) -> Tensor:
    output, is_logits = _logits_of(name, y_pred, from_logits)
    if is_logits:
        return F.binary_cross_entropy_with_logits(output, target, reduction="none")
    p = _clip(output)
    return -(target * torch.log(p) + (1.0 - target) * torch.log(1.0 - p))


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """Cross-entropy of 0/1 labels with probabilities: −t·log p − (1−t)·log(1−p), averaged over `axis`.

    Each output is a question of its own: one output for two classes, or several labels that may be true together.

    Args:
        y_true: labels between 0 and 1, of y_pred's shape.
        y_pred: probabilities of label 1, or logits with from_logits=True.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: in [0, 1], how far labels move from 0 and 1 towards 0.5.
        axis: axis whose values are averaged.

    Returns:
        Tensor of shape (batch, ...): the last axis is averaged.

    Raises:
        InputError: the shapes differ.
    """
    y_pred = as_prediction(y_pred)
    target = _binary_target("binary_crossentropy", y_true, y_pred, label_smoothing)
    return _binary("binary_crossentropy", target, y_pred, from_logits).mean(dim=axis)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary cross-entropy that counts easy samples less: (1−p_t)^gamma · cross-entropy, averaged over `axis`.

    p_t is the probability of the true label. Lin et al., "Focal Loss for Dense Object Detection", 2018,
    arXiv:1708.02002.

    Args:
        y_true: labels between 0 and 1, of y_pred's shape.
        y_pred: probabilities of label 1, or logits with from_logits=True.
        apply_class_balancing: whether label 1 weighs alpha and label 0 weighs 1 − alpha.
        alpha: weight of label 1, in [0, 1].
        gamma: how strongly easy samples are turned down; 0 gives plain cross-entropy.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: in [0, 1], how far labels move from 0 and 1 towards 0.5.
        axis: axis whose values are averaged.

    Returns:
        Tensor of shape (batch, ...): the last axis is averaged.

    Raises:
        InputError: the shapes differ.
    """
    y_pred = as_prediction(y_pred)
    target = _binary_target("binary_focal_crossentropy", y_true, y_pred, label_smoothing)
    p = y_pred
    if from_logits and getattr(y_pred, "_keras_logits", None) is None:
        p = torch.sigmoid(y_pred)
    entropy = _binary("binary_focal_crossentropy", target, y_pred, from_logits)
    p_t = target * p + (1.0 - target) * (1.0 - p)
    focal = torch.pow(1.0 - p_t, gamma) * entropy
    if apply_class_balancing:
        focal = (target * alpha + (1.0 - target) * (1.0 - alpha)) * focal
    return focal.mean(dim=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Categorical cross-entropy that counts easy samples less: −Σ alpha·(1−p)^gamma·t·log p over the classes.

    Lin et al., "Focal Loss for Dense Object Detection", 2018, arXiv:1708.02002.

    Args:
        y_true: one-hot labels or class probabilities of shape (batch, ..., classes).
        y_pred: class probabilities of shape (batch, ..., classes), or logits with from_logits=True.
        alpha: weight of the classes: one number, or one for each class.
        gamma: how strongly easy samples are turned down; 0 gives alpha · cross-entropy.
        from_logits: whether y_pred are logits.
        label_smoothing: share of each label, in [0, 1], that is spread evenly over all classes.
        axis: axis of the classes.

    Returns:
        Tensor of shape (batch, ...): the class axis is gone.

    Raises:
        InputError: the shapes differ (integer labels are made one-hot with `to_categorical`).
    """
    _check_axis(axis)
    y_pred = as_prediction(y_pred)
    target = _one_hot_target("categorical_focal_crossentropy", y_true, y_pred, label_smoothing)
    p = torch.softmax(y_pred, dim=axis) if from_logits else y_pred
    p = _clip(p / p.sum(dim=axis, keepdim=True))
    one = isinstance(alpha, int | float)  # filled on the device, where a copy would make the host wait
    kind: dict[str, Any] = {"dtype": p.dtype, "device": p.device}
    weight = torch.pow(1.0 - p, gamma) * (torch.full((), alpha, **kind) if one else torch.as_tensor(alpha, **kind))
    return (weight * -target * torch.log(p)).sum(dim=axis)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> Tensor:
    """Cross-entropy that withstands wrong labels: (1 − p^q)/q for the labelled class.

    q → 0 gives cross-entropy, q = 1 the mean absolute error. Zhang and Sabuncu, "Generalized Cross Entropy Loss for
    Training Deep Neural Networks with Noisy Labels", 2018, arXiv:1805.07836.

    Args:
        y_true: integer class labels of shape (batch, ...) or (batch, ..., 1).
        y_pred: class probabilities of shape (batch, ..., classes).
        q: between 0 and 1; the larger, the less wrong labels weigh.

    Returns:
        Tensor of shape (batch, ...): the class axis is gone.

    Raises:
        InputError: a label is out of range (looked at on the CPU).
    """
    y_pred = as_prediction(y_pred)
    labels = as_labels(y_true, y_pred.device)
    if labels.ndim == y_pred.ndim:
        labels = labels.squeeze(-1)
    _check_range(labels, y_pred.shape[-1])
    p = torch.gather(y_pred, -1, labels.unsqueeze(-1)).squeeze(-1)
    return (1.0 - torch.pow(p, q)) / q


__all__ = [
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy",
    "categorical_focal_crossentropy", "categorical_generalized_cross_entropy", "sparse_categorical_crossentropy",
]  # fmt: skip
