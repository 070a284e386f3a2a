"""Calibration of answers whose true odds are known."""

from __future__ import annotations

import numpy as np
import pytest

from scene_lightning.inference.temperature import at_temperature, calibration_error, fit_temperature

RNG = np.random.default_rng(0)


def honest(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels that are drawn from them."""
    rows = RNG.dirichlet([1.0, 1.0, 1.0], count)
    return rows, np.array([RNG.choice(3, p=row) for row in rows])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_spoilt_the_odds_is_found_again(temperature: float) -> None:
    rows, labels = honest(4000)
    spoilt = at_temperature(rows, 1 / temperature)
    assert fit_temperature(spoilt, labels) == pytest.approx(temperature, rel=0.1)
    mended = at_temperature(spoilt, fit_temperature(spoilt, labels))
    assert calibration_error(mended, labels) < 0.03
    if temperature != 1:
        assert calibration_error(spoilt, labels) > 0.08


def test_the_error_of_a_known_case() -> None:
    rows = np.tile([0.8, 0.2], (10, 1))
    assert calibration_error(rows, [0] * 6 + [1] * 4) == pytest.approx(0.2, abs=1e-6)
    np.testing.assert_allclose(at_temperature(rows, 1.0), rows)
    assert at_temperature([[1.0, 0.0]], 2.0)[0, 0] == pytest.approx(1.0)
