"""Names the color modes of images and how many channels each has."""

from __future__ import annotations

from scene_lightning._registry import did_you_mean
from scene_lightning.errors import InputError

CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}


def check_color_mode(color_mode: str) -> None:
    """Raise InputError unless Keras knows `color_mode`.

    Args:
        color_mode: the name to check.
    """
    if color_mode not in CHANNELS:
        raise InputError(
            f'Invalid color mode: {color_mode}; expected "rgb", "rgba", or "grayscale".'
            f"{did_you_mean(str(color_mode), CHANNELS)}"
        )
