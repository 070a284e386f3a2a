"""Measures how well probabilities are calibrated, and fits the temperature that improves it.

Guo et al., 2017, "On Calibration of Modern Neural Networks": logits divided by one number, fitted on images that the
network was not trained on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

_TINY = float(np.finfo(np.float32).tiny)
BINS = 15


def calibration_error(probabilities: Any, labels: Any, bins: int = BINS) -> float:
    """Expected calibration error: the mean distance between confidence and accuracy over `bins` equal bins.

    Args:
        probabilities: (N, K).
        labels: (N,) class numbers.
        bins: how many intervals of confidence.
    """
    rows = torch.as_tensor(np.asarray(probabilities, np.float32))
    return float(multiclass_calibration_error(rows, torch.as_tensor(np.asarray(labels)), rows.shape[1], n_bins=bins))


def at_temperature(probabilities: Any, temperature: float) -> np.ndarray:
    """Turn (N, K) probabilities into those of the logits divided by `temperature`.

    Args:
        probabilities: (N, K).
        temperature: above 0; above 1 makes them less sure.
    """
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: Any, labels: Any) -> float:
    """Find the temperature with the lowest cross-entropy: above 1 where the network is surer than it is right.

    Args:
        probabilities: (N, K).
        labels: (N,) class numbers.
    """
    logits = torch.as_tensor(np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY)))
    true = torch.as_tensor(np.asarray(labels, np.int64))
    exponent = torch.zeros((), dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([exponent], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        value = torch.nn.functional.cross_entropy(logits / exponent.exp(), true)
        value.backward()
        return value

    search.step(loss)  # type: ignore[arg-type]
    return float(exponent.detach().exp())
