"""Draws pictures that show nothing: noise, clouds, plain colours, gradients, stripes, checks, dots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scene_lightning.demo_scenes.scenes import SCENE_NAMES, draw_scene

TEXTURES, SCENES = 140, 10  # of the latter, of each kind


def texture(index: int, seed: int = 0, size: int = 150) -> Image.Image:
    """Draw one picture; the kinds of `KINDS` take turns.

    Args:
        index: which picture.
        seed: another seed gives other pictures.
        size: height and width in pixels.
    """
    rng = np.random.default_rng([seed, index])
    levels = list(KINDS.values())[index % len(KINDS)](rng, size)
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def draw_others(folder: Path) -> dict[str, list[str]]:
    """Draw images that show no photographed scene, textures and drawn scenes; their paths by the name of the set.

    Args:
        folder: where the files go.
    """
    images = {
        "generated textures": [texture(index) for index in range(TEXTURES)],
        "drawn scenes": [draw_scene(kind, number, size=150) for kind in SCENE_NAMES for number in range(SCENES)],
    }
    paths: dict[str, list[str]] = {}
    for number, (name, pictures) in enumerate(images.items()):
        paths[name] = [str(folder / f"{number}-{index}.png") for index in range(len(pictures))]
        for path, picture in zip(paths[name], pictures, strict=True):
            picture.save(path)
    return paths


def _noise(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Each pixel for itself, in squares of one to eight pixels, in colour or in grey."""
    square = int(rng.choice([1, 2, 4, 8]))
    cells = -(-size // square)
    levels = rng.normal(127.5, rng.uniform(20, 100), (cells, cells, int(rng.choice([1, 3]))))
    grown = levels.repeat(square, axis=0).repeat(square, axis=1)[:size, :size]
    return np.broadcast_to(grown, (size, size, 3))


def _clouds(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Noise whose amplitude falls with a power of the frequency, as photographs' does, between two colours."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None])
    frequency[0, 0] = 1.0
    spectrum = np.fft.fft2(rng.normal(size=(size, size))) / frequency ** rng.uniform(0.8, 2.2)
    field = np.fft.ifft2(spectrum).real
    return _between_colours(rng, (field - field.min()) / max(float(np.ptp(field)), 1e-12))


def _plain(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    return _between_colours(rng, np.zeros((size, size)))


def _gradient(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    return _between_colours(rng, _slope(rng, size))


def _stripes(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    waves = np.sin(2 * np.pi * rng.uniform(2, 30) * _slope(rng, size))
    return _between_colours(rng, (waves > 0) if rng.random() < 0.5 else (waves + 1) / 2)


def _checks(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    count = rng.uniform(2, 20)
    rows, columns = (np.floor(np.arange(size) / size * count) for _ in range(2))
    return _between_colours(rng, (rows[:, None] + columns[None]) % 2)


def _dots(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Discs of several colours on a plain ground."""
    picture = _plain(rng, size)
    y, x = np.mgrid[:size, :size]
    for _ in range(int(rng.integers(3, 40))):
        row, column, radius = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(2, size / 5)
        picture = np.where(((y - row) ** 2 + (x - column) ** 2 < radius**2)[..., None], rng.uniform(0, 255, 3), picture)
    return picture


def _slope(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """From 0 to 1 across the picture, in any direction."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:size, :size] / size
    slope = np.cos(angle) * x + np.sin(angle) * y
    return (slope - slope.min()) / max(float(np.ptp(slope)), 1e-12)


def _between_colours(rng: np.random.Generator, share: NDArray[np.generic]) -> NDArray[np.float64]:
    first, second = rng.uniform(0, 255, (2, 3))
    return first + (second - first) * np.asarray(share, np.float64)[..., None]


KINDS: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "noise": _noise, "clouds": _clouds, "plain": _plain, "gradient": _gradient, "stripes": _stripes,
    "checks": _checks, "dots": _dots,
}  # fmt: skip
