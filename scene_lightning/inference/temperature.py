"""Measures how well probabilities are calibrated, and fits the temperature that improves it.

Guo et al., 2017, "On Calibration of Modern Neural Networks": logits divided by one number, fitted on images that the
network was not trained on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

_TINY = float(np.finfo(np.float32).tiny)
_NEAREST_ONE = float(np.nextafter(np.float32(1), np.float32(0)))
_cross_entropy = torch.nn.functional.cross_entropy
BINS = 15


def calibration_error(probabilities: Any, labels: Any, bins: int = BINS) -> float:
    """Expected calibration error: the mean distance between confidence and accuracy over `bins` equal bins.

    Of several labels an image, each label of each image counts by itself: the distance is that between a label's
    probability and the share of images that have it.

    Args:
        probabilities: (N, K).
        labels: (N,) class numbers; or (N, K), 1 where an image has a label.
        bins: how many intervals of confidence.
    """
    rows = torch.as_tensor(np.ascontiguousarray(probabilities, np.float32))
    if np.ndim(labels) == 2:
        truth = torch.as_tensor(np.ascontiguousarray(labels, np.int64))
        return float(binary_calibration_error(rows.flatten(), truth.flatten(), n_bins=bins))
    return float(multiclass_calibration_error(rows, torch.as_tensor(np.asarray(labels)), rows.shape[1], n_bins=bins))


def at_temperature(probabilities: Any, temperature: float, *, several_labels: bool = False) -> np.ndarray:
    """Turn (N, K) probabilities into those of the logits divided by `temperature`.

    Args:
        probabilities: (N, K).
        temperature: above 0; above 1 makes them less sure.
        several_labels: whether each is a sigmoid's, and they need not sum to 1.
    """
    if several_labels:
        return 1 / (1 + np.exp(-_log_odds(probabilities) / temperature))
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: Any, labels: Any) -> float:
    """Find the temperature with the lowest cross-entropy: above 1 where the network is surer than it is right.

    Args:
        probabilities: (N, K).
        labels: (N,) class numbers; or (N, K), 1 where an image has a label.
    """
    several_labels = np.ndim(labels) == 2
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits if several_labels else _cross_entropy
    logits = torch.as_tensor(
        _log_odds(probabilities) if several_labels else np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY))
    )
    true = torch.as_tensor(np.asarray(labels, np.float64 if several_labels else np.int64))
    exponent = torch.zeros((), dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([exponent], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        value = cross_entropy(logits / exponent.exp(), true)
        value.backward()
        return value

    search.step(loss)  # type: ignore[arg-type]
    return float(exponent.detach().exp())


def _log_odds(probabilities: Any) -> np.ndarray:
    chances = np.clip(np.asarray(probabilities, np.float64), _TINY, _NEAREST_ONE)
    return np.log(chances) - np.log1p(-chances)
