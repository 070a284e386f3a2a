"""Draws walls and boxes in space as a pinhole camera sees them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import ImageDraw

from scene_lightning.demo_scenes.canvas import Colour, Light, ink, mix, pick, rgb

_WALLS = [
    rgb(186, 168, 142), rgb(166, 96, 74), rgb(206, 198, 186), rgb(136, 140, 146), rgb(214, 186, 128),
    rgb(152, 122, 104), rgb(196, 142, 116), rgb(178, 186, 188), rgb(112, 116, 126), rgb(226, 218, 202),
]  # fmt: skip
LAMPLIGHT = rgb(255, 214, 130)
NEAREST = 0.6  # metres: what is nearer is pushed away to there, so that polygons never pass through the camera


@dataclass(frozen=True)
class Camera:
    """A pinhole at (0, `eye`, 0) that looks along z, turned by `yaw` and up by `pitch` (radians); units are metres.

    `side` is the canvas': `FINE` times the picture's.

    Attributes:
        side: height and width of the canvas in pixels: `FINE` times the picture's.
        eye: height above the ground, in metres.
        yaw: turn to the side, in radians.
        pitch: turn upwards, in radians.
        focal: focal length, as a share of `side`.
        horizon: where the line of sight meets the canvas, as a share of its height from the top.
    """

    side: int
    eye: float
    yaw: float = 0.0
    pitch: float = 0.0
    focal: float = 0.8
    horizon: float = 0.5

    def project(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) x right, y up, z ahead → (..., 2) pixels."""
        x, y, z = points[..., 0], points[..., 1] - self.eye, points[..., 2]
        x, z = x * math.cos(self.yaw) - z * math.sin(self.yaw), x * math.sin(self.yaw) + z * math.cos(self.yaw)
        y, z = y * math.cos(self.pitch) - z * math.sin(self.pitch), y * math.sin(self.pitch) + z * math.cos(self.pitch)
        scale = self.focal * self.side / np.maximum(z, NEAREST)
        pixels = np.empty((*scale.shape, 2))
        pixels[..., 0] = self.side / 2 + x * scale
        pixels[..., 1] = self.side * self.horizon - y * scale
        return pixels


@dataclass(frozen=True)
class _Style:
    """How a building's walls look."""

    wall: Colour
    glass: Colour
    storey: float
    bay: float
    fill: tuple[float, float]
    lit: float
    frame: bool

    def in_haze(self, light: Light, share: float) -> _Style:
        """The same walls seen through the air of a distance."""
        return replace(self, wall=mix(self.wall, light.bottom, share), glass=mix(self.glass, light.bottom, share))


def draw_style(rng: np.random.Generator, light: Light, modern_share: float = 0.3) -> _Style:
    """Stone with small windows, or a curtain of glass (with the chance `modern_share`).

    Args:
        rng: where the random numbers come from.
        light: the time of day.
        modern_share: probability of a curtain of glass.
    """
    modern = rng.random() < modern_share
    wall = pick(rng, _WALLS, 12) * (0.7 if modern else 1.0)
    glass = mix(rgb(52, 62, 78), light.bottom, rng.uniform(0.25, 0.7) if modern else rng.uniform(0, 0.25))
    fill = (
        (rng.uniform(0.7, 0.92), rng.uniform(0.6, 0.88))
        if modern
        else (rng.uniform(0.38, 0.6), rng.uniform(0.45, 0.65))
    )
    lit = rng.uniform(0.25, 0.6) if light.night else 0.12 * float(light.low_sun)
    return _Style(wall * light.tint, glass, rng.uniform(2.8, 3.6), rng.uniform(2.2, 3.6), fill, lit, rng.random() < 0.6)


@dataclass(frozen=True)
class View:
    """A scene in space, and the canvas that it is drawn on.

    Attributes:
        rng: where the random numbers come from.
        draw: what draws on the canvas.
        camera: what looks at the scene.
        light: the time of day.
    """

    rng: np.random.Generator
    draw: ImageDraw.ImageDraw
    camera: Camera
    light: Light

    def polygon(self, points: list[np.ndarray] | np.ndarray, colour: Colour) -> None:
        """A filled polygon of points in space.

        Args:
            points: `(corners, 3)` in metres.
            colour: of the whole.
        """
        self.draw.polygon(
            [tuple(point) for point in self.camera.project(np.asarray(points, float)).tolist()], fill=ink(colour)
        )

    def wall(self, start: np.ndarray, end: np.ndarray, height: float, style: _Style, shade: float) -> None:
        """An upright wall between two points on the ground, with its grid of windows; `shade` darkens its side.

        Args:
            start, end: its foot, `(3,)` each in metres.
            height: in metres.
            style: how it looks.
            shade: factor of its brightness.
        """
        up = np.array([0.0, height, 0.0])
        self.polygon([start, end, end + up, start + up], style.wall * shade)
        width = float(np.hypot(*(end - start)[[0, 2]]))
        columns, rows = max(int(width / style.bay), 1), max(int(height / style.storey), 1)
        across, upward = (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.55) / rows
        half_x, half_y = style.fill[0] / columns / 2, style.fill[1] / rows / 2
        corners_x = across[:, None] + np.array([-half_x, half_x, half_x, -half_x])
        corners_y = upward[:, None] + np.array([-half_y, -half_y, half_y, half_y])
        at = start + corners_x[:, None, :, None] * (end - start) + corners_y[None, :, :, None] * up
        windows = self.camera.project(at).reshape(-1, 4, 2)
        lit = self.rng.random(len(windows)) < style.lit
        tones = self.rng.uniform(0.75, 1.2, len(windows))
        for corners, glows, tone in zip(windows.tolist(), lit, tones, strict=True):
            outline = [tuple(corner) for corner in corners]
            colour = LAMPLIGHT * min(tone, 1) if glows else style.glass * shade * tone
            self.draw.polygon(outline, fill=ink(colour))
            if style.frame:
                self.draw.line([outline[0], outline[1]], fill=ink(style.wall * shade * 1.25), width=1)
        if not style.frame:
            return
        for level in np.arange(1, rows) / rows:
            ledge = self.camera.project(np.stack([start + level * up, end + level * up])).tolist()
            self.draw.line([tuple(ledge[0]), tuple(ledge[1])], fill=ink(style.wall * shade * 0.85), width=1)

    def box(self, corner: tuple[float, float], size: tuple[float, float, float], style: _Style) -> None:
        """Those sides of a block that are in view, its near left corner at (x, z) on the ground.

        Args:
            corner: (x, z) in metres.
            size: (width, height, depth) in metres.
            style: how its walls look.
        """
        (x, z), (width, height, depth) = corner, size
        near_left, near_right = np.array([x, 0.0, z]), np.array([x + width, 0.0, z])
        far = np.array([0.0, 0.0, depth])
        if x > 0:
            self.wall(near_left + far, near_left, height, style, 0.72)
        if x + width < 0:
            self.wall(near_right, near_right + far, height, style, 0.72)
        self.wall(near_left, near_right, height, style, 1.0)
        top, edge = np.array([0.0, height, 0.0]), np.array([0.0, height * 1.02, 0.0])
        rim = [near_left + top, near_right + top, near_right + edge, near_left + edge]
        self.polygon(rim, style.wall * self.rng.choice([0.6, 1.2]))
