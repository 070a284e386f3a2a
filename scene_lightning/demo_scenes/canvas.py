"""Draws what all synthetic scenes share: skies, textures, ridge lines, trees, and the finish of a photograph.

A picture is a float32 array (side, side, 3) of 0..255 in its final size; a canvas is PIL's image of it at `FINE` times
that size, on which outlines are drawn, so that they are smooth when it becomes a picture again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageDraw

FINE = 2
Picture = np.ndarray
Colour = np.ndarray
_TILE_SIDE = 1024
_VIEW = 192  # pixels of a tile that a texture shows at scale 1
_ROUGHNESS = (0.45, 0.6, 0.82)  # each costs a tile, so there are few


def rgb(red: float, green: float, blue: float) -> Colour:
    """One colour, float32, 0..255.

    Args:
        red, green, blue: 0 to 255; for a tint, factors about 1.
    """
    return np.array([red, green, blue], np.float32)


def mix(first: np.ndarray, second: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """`first` where `share` is 0, `second` where it is 1.

    Args:
        first, second: arrays that broadcast, such as a colour and a picture.
        share: of the second, 0 to 1.
    """
    return first + (second - first) * share


def shades(colour: Colour, low: float, high: float, share: np.ndarray) -> Picture:
    """A surface in one colour, darker and lighter from place to place.

    Args:
        colour: its colour.
        low, high: factors of the brightness where `share` is 0 and where it is 1.
        share: `(side, side)`, 0 to 1.
    """
    return mix(colour * low, colour * high, share[..., None])


def jitter(rng: np.random.Generator, colour: Colour, amount: float = 14) -> Colour:
    """`colour`, a little lighter or darker and a little off in hue.

    Args:
        rng: where the random numbers come from.
        colour: what to vary.
        amount: standard deviation of the brightness, in steps of 0 to 255; the hue's is half of it.
    """
    brightness, *hue = rng.normal(0, amount, 4).tolist()
    red, green, blue = colour.tolist()
    return rgb(
        *(min(max(value + brightness + 0.5 * off, 0), 255) for value, off in zip((red, green, blue), hue, strict=True))
    )


def pick(rng: np.random.Generator, colours: list[Colour], amount: float = 14) -> Colour:
    """One of `colours`, varied.

    Args:
        rng: where the random numbers come from.
        colours: what to choose from.
        amount: as for `jitter`.
    """
    return jitter(rng, colours[rng.integers(len(colours))], amount)


def ink(colour: Colour) -> tuple[int, int, int]:
    """A colour as PIL takes it.

    Args:
        colour: 0 to 255; what is beyond is clipped.
    """
    red, green, blue = colour.tolist()
    return int(min(max(red, 0), 255)), int(min(max(green, 0), 255)), int(min(max(blue, 0), 255))


def smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between.

    Args:
        values: an array.
        low, high: where the rise begins and ends.
    """
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


@cache
def _tile(roughness: float) -> Image.Image:
    """A large fractal texture, values spread evenly over 0..1: cutting pieces is far faster than making new noise."""
    rng = np.random.default_rng(20_19)
    total = np.zeros((_TILE_SIDE, _TILE_SIDE), np.float32)
    for octave in range(8):
        cells = 6 * 2**octave
        grid = Image.fromarray(rng.random((cells, cells), np.float32) - 0.5)
        layer = np.asarray(grid.resize((_TILE_SIDE, _TILE_SIDE), Image.Resampling.BICUBIC))
        total += layer * roughness**octave
    ranks = np.searchsorted(np.sort(total[::7, ::7], axis=None), total) / total[::7, ::7].size
    return Image.fromarray(ranks.astype(np.float32))


def texture(
    rng: np.random.Generator, side: int, wide: float = 1.0, tall: float = 1.0, roughness: float = 0.55
) -> np.ndarray:
    """(side, side) fractal noise in 0..1; features grow `wide` and `tall` times. Fine detail below 1, coarse above.

    Args:
        rng: where the random numbers come from.
        side: height and width of the picture in pixels.
        wide, tall: how many times larger the features are than at first.
        roughness: weight of each finer octave, 0 to 1; the nearest of three is taken.
    """
    width, height = min(_VIEW / wide, _TILE_SIDE), min(_VIEW / tall, _TILE_SIDE)
    left, top = rng.uniform(0, _TILE_SIDE - width), rng.uniform(0, _TILE_SIDE - height)
    box = (left, top, left + width, top + height)
    tile = _tile(min(_ROUGHNESS, key=lambda known: abs(known - roughness)))
    # the gap lets Pillow shrink large boxes by whole numbers first: as good for noise, and much faster
    piece = np.asarray(tile.resize((side, side), Image.Resampling.BILINEAR, box=box, reducing_gap=1.0))
    return piece[:, ::-1] if rng.random() < 0.5 else piece


def ground_texture(rng: np.random.Generator, side: int, horizon: float, wide: float, deep: float) -> np.ndarray:
    """(side, side) noise in 0..1 that lies flat below the row `horizon`: features shrink towards it.

    Args:
        rng: where the random numbers come from.
        side: height and width of the picture in pixels.
        horizon: the row in which the ground ends, in pixels.
        wide, deep: size of the features across and along the view, about 1.
    """
    tile = _tile_array()
    near = np.clip((np.arange(side, dtype=np.float32) - horizon) / (side - horizon), 0, 1)
    away = 1 / (near + 0.06)
    columns = (np.arange(side, dtype=np.float32) / side - 0.5) * away[:, None] * (700 / wide) + rng.uniform(
        0, _TILE_SIDE
    )
    rows = away * (1500 / deep) + rng.uniform(0, _TILE_SIDE)
    return tile[rows.astype(int)[:, None] % _TILE_SIDE, columns.astype(int) % _TILE_SIDE]


@lru_cache(maxsize=1)
def _tile_array() -> np.ndarray:
    return np.asarray(_tile(_ROUGHNESS[1]))


def ridge(rng: np.random.Generator, side: int, jaggedness: float = 0.5, knots: int = 3) -> np.ndarray:
    """(side,) a mountain line, 0 to 1: straight pieces, and finer straight pieces on them.

    Args:
        rng: where the random numbers come from.
        side: height and width of the picture in pixels.
        jaggedness: weight of each finer set of pieces, 0 to 1.
        knots: corners of the coarsest line.
    """
    across = np.linspace(0, 1, side)
    line, amount = np.zeros(side), 1.0
    for _ in range(7):
        points = np.linspace(0, 1, knots)
        points[1:-1] += rng.uniform(-0.3, 0.3, knots - 2) / knots
        line += amount * np.interp(across, points, rng.random(knots))
        knots, amount = knots * 2, amount * jaggedness
    line -= line.min()
    return (line / line.max()).astype(np.float32)


@dataclass(frozen=True)
class Light:
    """The time of day: the sky's colours, and what the light does to everything below it.

    Attributes:
        top: colour of the sky overhead.
        bottom: colour of the sky at the horizon, which is the haze's, too.
        tint: factor of the three channels for all that is lit.
        low_sun: whether the sun is near the horizon.
        night: whether it is night.
    """

    top: Colour
    bottom: Colour
    tint: Colour
    low_sun: bool = False
    night: bool = False


_LIGHTS = [
    Light(rgb(62, 118, 196), rgb(186, 214, 238), rgb(1.0, 1.0, 0.98)),
    Light(rgb(28, 84, 172), rgb(140, 188, 232), rgb(1.05, 1.03, 1.0)),
    Light(rgb(128, 168, 208), rgb(226, 234, 240), rgb(1.0, 1.0, 1.0)),
    Light(rgb(146, 154, 164), rgb(208, 211, 214), rgb(0.84, 0.86, 0.88)),
    Light(rgb(138, 160, 204), rgb(250, 216, 190), rgb(1.02, 0.94, 0.88), low_sun=True),
    Light(rgb(70, 78, 136), rgb(247, 170, 112), rgb(0.86, 0.70, 0.62), low_sun=True),
    Light(rgb(126, 74, 92), rgb(255, 156, 74), rgb(0.84, 0.62, 0.50), low_sun=True),
    Light(rgb(12, 18, 42), rgb(44, 56, 96), rgb(0.34, 0.37, 0.50), night=True),
]


def draw_light(rng: np.random.Generator, night: float = 0.05, low_sun: float = 0.2) -> Light:
    """A time of day; `night` and `low_sun` are the chances of those kinds.

    Args:
        rng: where the random numbers come from.
        night: probability of a night.
        low_sun: probability of a low sun.
    """
    chance = rng.random()
    kinds = [
        light
        for light in _LIGHTS
        if light.night == (chance < night) and light.low_sun == (night <= chance < night + low_sun)
    ]
    light = kinds[rng.integers(len(kinds))]
    return Light(jitter(rng, light.top, 10), jitter(rng, light.bottom, 8), light.tint, light.low_sun, light.night)


def sky(rng: np.random.Generator, side: int, light: Light, horizon: float = 1.0) -> Picture:
    """A gradient down to `horizon` (a share of the height), often with clouds.

    Args:
        rng: where the random numbers come from.
        side: height and width of the picture in pixels.
        light: the time of day.
        horizon: where the gradient ends, as a share of the height.
    """
    down = np.clip(np.linspace(0, 1 / max(horizon, 0.05), side, dtype=np.float32), 0, 1)[:, None, None]
    picture = mix(light.top, light.bottom, down ** rng.uniform(0.7, 1.6)) * np.ones((1, side, 1), np.float32)
    if rng.random() < 0.65:
        amount = rng.uniform(0.3, 0.75)
        shape = texture(rng, side, rng.uniform(0.4, 1.1), rng.uniform(0.2, 0.4))
        cover = smoothstep(shape, amount, amount + 0.35)
        white = mix(light.bottom, rgb(255, 255, 255) * light.tint, 0.2 if light.night else 0.75)
        shade = shades(white, 1, 0.78, texture(rng, side, 0.8, 0.3))
        picture = mix(picture, shade, (cover * rng.uniform(0.4, 0.95))[..., None])
    return picture


def add_sun(picture: Picture, x: float, y: float, radius: float, colour: Colour) -> Picture:
    """A disc with a glow around it; `x`, `y` and `radius` in pixels.

    Args:
        picture: float32 `(side, side, 3)`, 0 to 255.
        x, y: the centre, in pixels.
        radius: of the disc, in pixels.
        colour: of disc and glow.
    """
    rows, columns = np.mgrid[: len(picture), : len(picture)].astype(np.float32)
    away = np.hypot(rows - y, columns - x) / radius
    glow = 0.75 * np.exp(-away / 2.5)
    return mix(picture, colour, np.maximum(glow, smoothstep(-away, -1.1, -0.9))[..., None])


def below(line: np.ndarray, side: int) -> np.ndarray:
    """(side, side) how far each pixel lies below `line` (side,), in pixels; negative above it.

    Args:
        line: a row for each column, in pixels.
        side: height and width of the picture in pixels.
    """
    return np.arange(side, dtype=np.float32)[:, None] - line[None, :].astype(np.float32)


def paint_below(picture: Picture, line: np.ndarray, colour: np.ndarray) -> Picture:
    """`colour` (one, or a picture) wherever a pixel is below `line`, with a soft edge.

    Args:
        picture: float32 `(side, side, 3)`, 0 to 255.
        line: a row for each column, in pixels.
        colour: one colour or a picture.
    """
    return mix(picture, colour, np.clip(below(line, len(picture)) + 0.5, 0, 1)[..., None])


def relief(rng: np.random.Generator, side: int, wide: float, tall: float, strength: float = 12) -> np.ndarray:
    """(side, side) light and shadow, 0..1, on a rugged slope that is lit from one side.

    Args:
        rng: where the random numbers come from.
        side: height and width of the picture in pixels.
        wide, tall: as for `texture`.
        strength: contrast of light and shadow.
    """
    height = texture(rng, side, wide, tall, 0.62)
    step = max(side // 96, 1)
    lit = np.roll(height, step, axis=1) - height + 0.35 * (np.roll(height, step, axis=0) - height)
    return np.clip(0.5 + strength * lit, 0, 1)


def to_canvas(picture: Picture) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Enlarges a picture `FINE` times to a canvas, and gives what draws on that, too.

    Args:
        picture: float32 `(side, side, 3)`, 0 to 255.
    """
    side = len(picture) * FINE
    canvas = _to_image(picture).resize((side, side), Image.Resampling.BILINEAR)
    return canvas, ImageDraw.Draw(canvas)


def to_picture(canvas: Image.Image) -> Picture:
    """Shrinks a canvas to a picture again.

    Args:
        canvas: `FINE` times as large as the picture.
    """
    return np.asarray(canvas.reduce(FINE)).astype(np.float32)


def _to_image(picture: Picture) -> Image.Image:
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _conifer(draw: ImageDraw.ImageDraw, x: float, foot: float, height: float, colour: Colour) -> None:
    """A fir: four tiers of branches, narrowing upwards."""
    width = height * 0.36
    draw.rectangle((x - width * 0.06, foot - height * 0.15, x + width * 0.06, foot), fill=ink(colour * 0.6))
    for tier in range(4):
        low = foot - height * (0.08 + 0.21 * tier)
        half = width * (0.5 - 0.1 * tier)
        top = foot - height * (0.45 + 0.185 * tier)
        draw.polygon([(x - half, low), (x + half, low), (x, top)], fill=ink(colour * (0.85 + 0.06 * tier)))


def conifers(rng: np.random.Generator, picture: Picture, line: np.ndarray, height: float, colour: Colour) -> Picture:
    """A dense row of firs that stand on `line` (pixels), about `height` pixels tall.

    Args:
        rng: where the random numbers come from.
        picture: float32 `(side, side, 3)`, 0 to 255.
        line: a row for each column, in pixels.
        height: mean height of a tree, in pixels.
        colour: of the branches.
    """
    canvas, draw = to_canvas(picture)
    side = len(picture)
    for x in np.arange(-height / 4, side + height / 4, height * rng.uniform(0.16, 0.3)):
        at = x + rng.normal(0, height * 0.08)
        foot = line[int(min(max(at, 0), side - 1))] + height * 0.1
        _conifer(draw, at * FINE, foot * FINE, height * FINE * rng.uniform(0.6, 1.25), jitter(rng, colour, 6))
    return to_picture(canvas)


def bush(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    x: float,
    y: float,
    radius: float,
    colour: Colour,
    blobs: int = 20,
) -> None:
    """A crown of leaves around (x, y) of a canvas: dark blobs below, lighter ones above.

    Args:
        rng: where the random numbers come from.
        draw: what draws on the canvas.
        x, y: the centre, in pixels of the canvas.
        radius: in pixels of the canvas.
        colour: of the leaves in full light.
        blobs: how many discs it is made of.
    """
    red, green, blue = colour.tolist()
    offsets = rng.normal(0, 0.5 * radius, (blobs, 2)).tolist()
    sizes = (radius * rng.uniform(0.12, 0.36, blobs)).tolist()
    tones = (np.linspace(0.75, 1.25, blobs) + rng.normal(0, 0.07, blobs)).tolist()
    for index, ((across, up), size, tone) in enumerate(zip(offsets, sizes, tones, strict=True)):
        left, top = x + across - size, y + up - size - radius * 0.3 * index / blobs
        shade = (min(int(red * tone), 255), min(int(green * tone), 255), min(int(blue * tone), 255))
        draw.ellipse((left, top, left + 2 * size, top + 2 * size), fill=shade)


def finish(rng: np.random.Generator, picture: Picture) -> Image.Image:
    """What a camera does: exposure, colour cast, vignette and grain; the picture as an image.

    Args:
        rng: where the random numbers come from.
        picture: float32 `(side, side, 3)`, 0 to 255.
    """
    side = len(picture)
    small = picture[:, ::-1] if rng.random() < 0.5 else picture
    small = (small - 128) * rng.uniform(0.82, 1.15) + 132 + rng.normal(0, 9)
    small = small * (1 + rng.normal(0, 0.025, 3).astype(np.float32))
    small = mix(
        small, small.mean(axis=2, keepdims=True), float(rng.choice([0, 0.15, 0.4, 1], p=[0.5, 0.35, 0.12, 0.03]))
    )
    away = np.linspace(-1, 1, side, dtype=np.float32) ** 2
    small = small * (1 - rng.uniform(0, 0.16) * (away[:, None] + away[None, :]))[..., None]
    grain = rng.standard_normal((side, side, 1), np.float32) * np.float32(rng.uniform(0.5, 4))
    return _to_image(small + grain)
