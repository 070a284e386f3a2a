"""Draws forests, glaciers, mountains and the sea."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw, ImageFilter

from scene_lightning.demo_scenes.canvas import (
    FINE,
    Colour,
    Light,
    Picture,
    add_sun,
    below,
    bush,
    conifers,
    draw_light,
    ground_texture,
    ink,
    jitter,
    mix,
    paint_below,
    pick,
    relief,
    rgb,
    ridge,
    shades,
    sky,
    smoothstep,
    texture,
    to_canvas,
    to_picture,
)

WHITE = rgb(250, 251, 253)


def _rocky_layer(
    rng: np.random.Generator,
    picture: Picture,
    line: np.ndarray,
    rock: Colour,
    light: Light,
    snow_line: float,
    haze: float,
) -> Picture:
    """A mountain range below `line` (pixels), with snow above the row `snow_line`, and `haze` (0..1) over it."""
    side = len(picture)
    lit = relief(rng, side, rng.uniform(0.8, 1.5), rng.uniform(1.2, 2.4))
    slope = shades(rock, 0.45, 1.3, lit) * light.tint
    rows = np.arange(side, dtype=np.float32)[:, None]
    patches = texture(rng, side, 0.9, 1.4)
    depth = below(line, side)
    snowy = smoothstep(snow_line + side * 0.35 * (patches - 0.5) - rows - 0.25 * depth * (patches > 0.6), -2, 3)
    snow = mix(rgb(126, 152, 196), WHITE, (0.15 + 0.85 * lit)[..., None]) * np.minimum(light.tint * 1.05, 1.05)
    slope = mix(slope, snow, (snowy * 0.95)[..., None])
    fade = np.clip(haze + 0.25 * haze * depth / side, 0, 1)[..., None]
    return paint_below(picture, line, mix(slope, light.bottom, fade))


def mountain(rng: np.random.Generator, side: int) -> Picture:
    """Ranges one behind the other in the haze, snow on the high ones, firs, meadow or a lake in front.

    Args:
        rng: where the random numbers come from.
        side: height and width of the picture in pixels.
    """
    light = draw_light(rng, night=0, low_sun=0.25)
    picture = sky(rng, side, light, 0.7)
    rock = pick(rng, [rgb(108, 104, 104), rgb(128, 112, 98), rgb(98, 106, 122), rgb(146, 122, 96)])
    green = pick(rng, [rgb(72, 96, 54), rgb(92, 104, 62), rgb(58, 84, 62)])
    layers = int(rng.integers(2, 5))
    summit = rng.uniform(0.12, 0.34) * side
    snow_line = summit + rng.uniform(-0.05, 0.35) * side
    for layer in range(layers):
        nearness = layer / max(layers - 1, 1)
        peak = summit + (0.5 * side - summit) * nearness * rng.uniform(0.6, 1)
        line = peak + (1 - ridge(rng, side, rng.uniform(0.42, 0.56))) * side * rng.uniform(0.22, 0.42)
        colour = mix(rock, green, float(smoothstep(np.asarray(nearness), 0.4, 1.1)))
        picture = _rocky_layer(rng, picture, line, colour, light, snow_line, (1 - nearness) * rng.uniform(0.25, 0.65))
    front = rng.choice(["firs", "meadow", "lake", "none"], p=[0.35, 0.25, 0.2, 0.2])
    edge = side * (rng.uniform(0.74, 0.9) + 0.06 * ridge(rng, side, 0.4))
    if front == "meadow":
        blades = ground_texture(rng, side, float(edge.min()) - side * 0.1, 0.6, 2)
        picture = paint_below(picture, edge, shades(green, 0.7, 1.35, blades) * light.tint)
    elif front == "lake":
        picture = _lake(rng, picture, int(edge.mean()), light)
    if front == "firs":
        dark = jitter(rng, rgb(34, 50, 38), 8) * light.tint
        picture = paint_below(picture, edge, dark * 0.8)
        picture = conifers(rng, picture, edge, side * rng.uniform(0.08, 0.24), dark)
    return picture


def _lake(rng: np.random.Generator, picture: Picture, shore: int, light: Light) -> Picture:
    """Still water from the row `shore` down, which mirrors what is above it."""
    side = len(picture)
    picture = picture.copy()
    mirrored = picture[shore - 1 : 2 * shore - side - 1 : -1]
    ripples = 0.85 + 0.2 * texture(rng, side, 1, 0.05)[shore:, :, None]
    picture[shore:] = mix(mirrored, jitter(rng, rgb(70, 110, 128), 16) * light.tint, 0.45) * ripples
    return picture


def _ice(rng: np.random.Generator, side: int, light: Light, wide: float, tall: float) -> Picture:
    """Glacier ice: white where lit, blue in the folds and deep blue in the cracks."""
    lit = relief(rng, side, wide, tall, 10)
    blue = pick(rng, [rgb(122, 172, 214), rgb(104, 178, 206), rgb(146, 180, 208)], 8)
    surface = mix(blue, WHITE, (0.25 + 0.75 * lit)[..., None])
    cracks = smoothstep(-np.abs(texture(rng, side, wide * 1.2, tall * 0.6, 0.45) - 0.5), -0.03, -0.004)
    surface = mix(surface, blue * rgb(0.45, 0.62, 0.8), (0.8 * cracks)[..., None])
    return surface * np.clip(light.tint * 1.04, 0, 1.05)


def glacier(rng: np.random.Generator, side: int) -> Picture:
    """Snowy ridges, and below them a crevassed ice field, an ice river in its valley or an ice cliff at the water.

    Args:
        rng: where the random numbers come from.
        side: height and width of the picture in pixels.
    """
    light = draw_light(rng, night=0, low_sun=0.1)
    horizon = rng.uniform(0.28, 0.5) * side
    picture = sky(rng, side, light, 0.5)
    rock = pick(rng, [rgb(92, 94, 102), rgb(104, 98, 96), rgb(78, 88, 106)])
    for haze in (0.45, 0.15):
        line = horizon - ridge(rng, side, 0.5) * rng.uniform(0.15, 0.32) * side + (0.45 - haze) * side * 0.12
        picture = _rocky_layer(rng, picture, line, rock, light, horizon + rng.uniform(-0.05, 0.3) * side, haze)
    kind = rng.choice(["field", "tongue", "cliff"])
    if kind == "field":
        return _ice_field(rng, picture, horizon, light)
    if kind == "tongue":
        return _ice_tongue(rng, picture, horizon, rock, light)
    return _ice_cliff(rng, picture, horizon, light)


def _ice_field(rng: np.random.Generator, picture: Picture, horizon: float, light: Light) -> Picture:
    """Ice to the horizon, cut by crevasses that curve across the view and widen towards it."""
    side = len(picture)
    edge = horizon + side * 0.05 * ridge(rng, side, 0.4)
    picture = paint_below(picture, edge, _ice(rng, side, light, 2.2, 0.8))
    canvas, draw = to_canvas(picture)
    side, horizon = side * FINE, horizon * FINE
    across = np.linspace(-0.1, 1.1, 14)
    depth, bend = 0.04, rng.uniform(-0.16, 0.16)
    deep = jitter(rng, rgb(38, 92, 142), 10) * light.tint
    while depth < 1:
        start, length = rng.uniform(-0.3, 0.7), rng.uniform(0.3, 0.9)
        at = across[(across > start) & (across < start + length)]
        if len(at) > 2:
            taper = np.sin(np.linspace(0, np.pi, len(at)))
            middle = (
                horizon + (depth + bend * (at - 0.5) ** 2 * 4 * depth) * (side - horizon) + rng.normal(0, 1.2, len(at))
            )
            width = taper * side * 0.032 * depth * rng.uniform(0.4, 1.5) + 0.3
            outline = [
                *zip(at * side, middle - width, strict=True),
                *zip(at[::-1] * side, (middle + width)[::-1], strict=True),
            ]
            draw.polygon(outline, fill=ink(deep))
            draw.line([*zip(at * side, middle - width - 1, strict=True)], fill=ink(WHITE * light.tint), width=2)
        depth += rng.uniform(0.02, 0.12) * (0.4 + depth)
    return to_picture(canvas)


def _ice_tongue(rng: np.random.Generator, picture: Picture, horizon: float, rock: Colour, light: Light) -> Picture:
    """A river of ice down a valley between two dark slopes, with moraines along its flow."""
    side = len(picture)
    across = np.arange(side, dtype=np.float32)
    depth = np.clip(np.arange(side, dtype=np.float32) - horizon, 0, None) / (side - horizon)
    middle = side * (0.5 + rng.uniform(-0.12, 0.12) + rng.uniform(0.05, 0.22) * np.sin(depth * rng.uniform(2, 4)))
    half = side * (0.1 + rng.uniform(0.22, 0.45) * depth**0.8)
    along = (across[None, :] - middle[:, None]) / half[:, None]  # -1 and 1 at the banks
    wobble = along + 0.22 * (texture(rng, side) - 0.5)
    surface = _ice(rng, side, light, 1.4, 0.7)
    for at in rng.uniform(-0.7, 0.7, int(rng.integers(1, 4))):
        stripe = smoothstep(-np.abs(wobble - at), -0.1, -0.02)
        surface = mix(surface, rock * 0.9 * light.tint, (0.7 * stripe)[..., None])
    slopes = shades(rock, 0.4, 1.15, relief(rng, side, 0.9, 1.1)) * light.tint
    ground = mix(slopes, surface, smoothstep(-np.abs(wobble), -1.04, -0.94)[..., None])
    valley = horizon - side * 0.28 * np.abs(across / side - 0.5) ** 0.8 + side * 0.05 * ridge(rng, side) + side * 0.08
    return paint_below(picture, valley, ground)


def _ice_cliff(rng: np.random.Generator, picture: Picture, horizon: float, light: Light) -> Picture:
    """The glacier's front: an upright wall of pillars above water with floes."""
    side = len(picture)
    top = horizon + side * (0.04 + 0.1 * ridge(rng, side, 0.7, 8))
    foot = horizon + side * rng.uniform(0.24, 0.4)
    picture = paint_below(picture, horizon + side * 0.05 * ridge(rng, side, 0.4), _ice(rng, side, light, 1.6, 0.5))
    picture = paint_below(picture, top, _ice(rng, side, light, 0.45, 2.6) * rgb(0.9, 0.96, 1.0))
    water = pick(rng, [rgb(58, 108, 130), rgb(86, 158, 162), rgb(62, 88, 118)]) * light.tint
    waves = ground_texture(rng, side, foot, 2, 1)
    shore = foot + side * 0.015 * ridge(rng, side, 0.6, 6)
    picture = paint_below(picture, shore, shades(water, 0.75, 1.25, waves))
    canvas, draw = to_canvas(picture)
    side, foot = side * FINE, foot * FINE
    for _ in range(int(rng.integers(4, 16))):
        y = rng.uniform(foot + 3, side)
        size = side * rng.uniform(0.02, 0.09) * (0.3 + (y - foot) / (side - foot))
        x = rng.uniform(0, side)
        tops = size * rng.uniform((0.2, 0.3, 0.1), (0.7, 0.9, 0.6))
        peaks = [(x - size * 0.7, y - tops[0]), (x, y - tops[1]), (x + size * 0.8, y - tops[2])]
        points = [(x - size, y), *peaks, (x + size, y)]
        draw.polygon(points, fill=ink(jitter(rng, rgb(226, 238, 246), 8) * light.tint))
        draw.line([points[0], points[-1]], fill=ink(rgb(120, 176, 206) * light.tint), width=2)
    return to_picture(canvas)


def sea(rng: np.random.Generator, side: int) -> Picture:
    """Water to a level horizon under a wide sky: sun and glitter, a sail, an island, surf on a beach.

    Args:
        rng: where the random numbers come from.
        side: height and width of the picture in pixels.
    """
    light = draw_light(rng, night=0.02, low_sun=0.4)
    level = rng.uniform(0.28, 0.62)
    horizon = level * side
    picture = sky(rng, side, light, level)
    sun = rng.uniform(0.1, 0.9) * side
    height = rng.uniform(0.05, 0.8) * horizon
    shining = light.low_sun or rng.random() < 0.3
    if shining:
        picture = add_sun(picture, sun, horizon - height * 0.6, side * rng.uniform(0.03, 0.06), rgb(255, 244, 214))
    if rng.random() < 0.3:
        _coast(rng, picture, horizon, light)
    picture = _water(rng, picture, horizon, light, sun if shining else None)
    canvas, draw = to_canvas(picture)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.45, 0.3, 0.15, 0.1]))):
        _sail(rng, draw, rng.uniform(0.1, 0.9), level + rng.uniform(0.005, 0.12), side * FINE, light)
    picture = to_picture(canvas)
    if rng.random() < 0.35:
        picture = _beach(rng, picture, light)
    return picture


def _coast(rng: np.random.Generator, picture: Picture, horizon: float, light: Light) -> None:
    """A headland or island on the horizon, drawn into `picture`."""
    side = len(picture)
    start, width = rng.uniform(-0.3, 0.8) * side, rng.uniform(0.2, 0.7) * side
    hump = np.clip(1 - ((np.arange(side) - start - width / 2) / (width / 2)) ** 2, 0, 1) ** 0.6
    line = horizon - hump * side * rng.uniform(0.04, 0.16) * (0.6 + 0.4 * ridge(rng, side, 0.5, 6)) + (hump == 0) * side
    land = pick(rng, [rgb(70, 86, 62), rgb(96, 90, 80), rgb(64, 78, 92)]) * light.tint
    shaded = shades(land, 0.7, 1.25, relief(rng, side, 1, 1))
    picture[:] = paint_below(picture, line, mix(shaded, light.bottom, rng.uniform(0.1, 0.5)))


def _water(rng: np.random.Generator, picture: Picture, horizon: float, light: Light, sun: float | None) -> Picture:
    """Waves from the horizon down, larger the nearer they are; under a low sun a path of glitter."""
    side = len(picture)
    deep = pick(rng, [rgb(28, 84, 128), rgb(34, 106, 132), rgb(60, 96, 116), rgb(24, 66, 104)], 10) * light.tint
    near = np.clip((np.arange(side, dtype=np.float32) - horizon) / (side - horizon), 0, 1)
    waves = 0.7 * ground_texture(rng, side, horizon, 1.6, 1.0) + 0.3 * ground_texture(rng, side, horizon, 0.6, 0.5)
    base = mix(mix(deep, light.bottom, 0.45), deep, np.sqrt(near)[:, None, None])
    surface = base * (0.95 + (waves - 0.5) * rng.uniform(0.5, 0.9) * (0.35 + 0.65 * near[:, None]))[..., None]
    crests = smoothstep(waves, *rng.choice([(0.85, 0.95), (0.72, 0.9), (0.92, 1.02)]))
    surface = mix(surface, WHITE * light.tint, (crests * (0.25 + 0.6 * near[:, None]))[..., None])
    if sun is not None:
        spread = side * (0.03 + 0.16 * near)[:, None]
        path = np.exp(-(((np.arange(side)[None, :] - sun) / spread) ** 2))
        glitter = path * smoothstep(waves, 0.3, 0.7)
        surface = mix(surface, mix(light.bottom, rgb(255, 240, 205), 0.6), (0.9 * glitter)[..., None])
    return paint_below(picture, np.full(side, horizon), surface)


def _sail(rng: np.random.Generator, draw: ImageDraw.ImageDraw, x: float, y: float, side: int, light: Light) -> None:
    """A sailing boat whose hull lies at (x, y), shares of a canvas of `side` pixels."""
    x, y = x * side, y * side
    tall = side * rng.uniform(0.05, 0.17)
    cloth = pick(rng, [rgb(246, 244, 238), rgb(240, 240, 244), rgb(206, 92, 70)], 6) * np.maximum(light.tint, 0.5)
    draw.polygon([(x, y - tall), (x, y - tall * 0.12), (x + tall * 0.48, y - tall * 0.12)], fill=ink(cloth))
    draw.polygon(
        [(x - 1, y - tall * 0.9), (x - 1, y - tall * 0.12), (x - tall * 0.3, y - tall * 0.12)], fill=ink(cloth * 0.88)
    )
    hull = [
        (x - tall * 0.4, y - tall * 0.1),
        (x + tall * 0.52, y - tall * 0.1),
        (x + tall * 0.36, y),
        (x - tall * 0.28, y),
    ]
    draw.polygon(hull, fill=ink(pick(rng, [rgb(60, 50, 48), rgb(228, 226, 220), rgb(40, 62, 104)]) * light.tint))


def _beach(rng: np.random.Generator, picture: Picture, light: Light) -> Picture:
    """Sand in front, wet at the edge, and the foam of the last waves."""
    side = len(picture)
    slant = np.linspace(0, rng.uniform(-0.25, 0.25), side)
    edge = side * (rng.uniform(0.76, 0.9) + slant + 0.04 * ridge(rng, side, 0.35, 4))
    sand = pick(rng, [rgb(214, 190, 148), rgb(196, 176, 146), rgb(168, 150, 128)], 10) * light.tint
    grains = shades(sand, 0.9, 1.08, texture(rng, side, 0.5, 0.3, 0.85))
    depth = below(edge, side)
    wet = np.exp(-np.clip(depth, 0, None) / (side * 0.05))[..., None]
    picture = paint_below(picture, edge, mix(grains, sand * 0.62, wet))
    for offset, strength in ((0, 0.95), (-0.07, 0.7), (-0.15, 0.5)):
        near = np.abs(depth - offset * side + side * 0.03 * (texture(rng, side, 1, 1) - 0.5))
        foam = smoothstep(-near, -side * 0.02, -side * 0.004) * smoothstep(texture(rng, side, 0.8, 0.4), 0.1, 0.5)
        picture = mix(picture, WHITE * light.tint, (strength * foam)[..., None])
    return picture


_SEASONS: list[tuple[list[Colour], Colour, Colour]] = [  # leaves, ground, light between the trunks
    ([rgb(76, 134, 44), rgb(120, 168, 52), rgb(58, 110, 48)], rgb(98, 118, 50), rgb(222, 238, 160)),
    ([rgb(64, 116, 50), rgb(92, 138, 60)], rgb(126, 98, 60), rgb(204, 226, 176)),
    ([rgb(196, 118, 36), rgb(206, 156, 46), rgb(158, 74, 34)], rgb(150, 98, 48), rgb(240, 214, 150)),
    ([rgb(44, 86, 54), rgb(38, 70, 46), rgb(60, 96, 58)], rgb(84, 82, 54), rgb(180, 204, 184)),
    ([rgb(92, 92, 94), rgb(208, 214, 222), rgb(70, 74, 80)], rgb(226, 230, 236), rgb(206, 214, 224)),
]


def forest(rng: np.random.Generator, side: int) -> Picture:
    """Trunks behind trunks, a roof of leaves, undergrowth; every season, sometimes a path or rays of sun.

    Args:
        rng: where the random numbers come from.
        side: height and width of the picture in pixels.
    """
    leaves, ground, between = _SEASONS[rng.choice(len(_SEASONS), p=[0.34, 0.22, 0.18, 0.16, 0.1])]
    between = jitter(rng, between, 14) * rng.uniform(0.75, 1.15)
    backdrop = mix(between, pick(rng, leaves), rng.uniform(0.35, 0.75))
    picture = mix(backdrop * 0.75, between, texture(rng, side, 0.35, 0.5)[..., None])
    floor = side * rng.uniform(0.6, 0.85)
    soil = jitter(rng, ground, 12)
    litter = shades(soil, 0.5, 1.35, texture(rng, side, 0.25, 0.1, 0.8))
    picture = paint_below(picture, floor + side * 0.05 * ridge(rng, side, 0.4), litter)
    if rng.random() < 0.25:
        picture = _forest_path(rng, picture, floor, mix(soil, rgb(180, 160, 130), 0.5))
    bark = pick(rng, [rgb(92, 72, 56), rgb(112, 98, 84), rgb(70, 60, 54), rgb(140, 132, 122)])
    canvas, draw = to_canvas(picture)
    lean = rng.normal(0, 0.02)
    side, floor = side * FINE, floor * FINE
    for layer, nearness in enumerate((0.1, 0.4, 0.75, 1.0)):
        shade = mix(backdrop * 0.8, bark * 0.75, nearness)
        for _ in range(int(rng.integers(*[(9, 18), (6, 12), (3, 7), (0, 4)][layer]))):
            _trunk(rng, draw, side, floor + (side - floor) * nearness * 0.7, side * 0.012 * 9**nearness, shade, lean)
        for _ in range(int(rng.integers(5, 10))):
            crown = mix(backdrop, pick(rng, leaves), 0.3 + 0.7 * nearness) * (1.15 - 0.3 * nearness)
            bush(rng, draw, rng.uniform(0, side), rng.uniform(-0.1, 0.28) * side, side * rng.uniform(0.07, 0.18), crown)
        if rng.random() < 0.6:
            low = floor + (side - floor) * nearness * 0.8
            bush(rng, draw, rng.uniform(0, side), low, side * rng.uniform(0.05, 0.13), pick(rng, leaves) * 0.8)
    picture = to_picture(canvas)
    side = len(picture)
    roof = texture(rng, side, 0.35, 0.35, 0.8) * np.linspace(1.15, 0.35, side, dtype=np.float32)[:, None]
    foliage = mix(pick(rng, leaves) * 0.5, pick(rng, leaves) * 1.5, texture(rng, side, 0.15, 0.15, 0.85)[..., None])
    picture = mix(picture, foliage, smoothstep(roof, rng.uniform(0.4, 0.62), 0.78)[..., None])
    return _sun_rays(rng, picture, between) if rng.random() < 0.25 else picture


def _trunk(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    side: int,
    foot: float,
    width: float,
    colour: Colour,
    lean: float,
) -> None:
    """One tree from the ground to the top edge of the picture, lit from one side, with a few branches."""
    x = rng.uniform(-0.05, 1.05) * side
    wide = width * rng.uniform(0.6, 1.4)
    top = x + side * (lean + rng.normal(0, 0.03))
    colour = jitter(rng, colour, 7)
    draw.polygon(
        [(x - wide / 2, foot), (x + wide / 2, foot), (top + wide * 0.3, 0), (top - wide * 0.3, 0)], fill=ink(colour)
    )
    lit = [(x + wide * 0.15, foot), (x + wide / 2, foot), (top + wide * 0.3, 0), (top + wide * 0.1, 0)]
    draw.polygon(lit, fill=ink(colour * 1.3))
    for _ in range(int(rng.integers(0, 4))):
        up = rng.uniform(0.15, 0.85)
        at = x + (top - x) * up
        reach = rng.choice([-1, 1]) * side * rng.uniform(0.04, 0.14)
        y = foot * (1 - up)
        tip = (at + reach, y - abs(reach) * rng.uniform(0.3, 0.9))
        draw.line([(at, y), tip], fill=ink(colour * 0.9), width=max(int(wide / 6), 1))


def _forest_path(rng: np.random.Generator, picture: Picture, floor: float, colour: Colour) -> Picture:
    """A path that runs from the lower edge into the trees."""
    side = len(picture)
    canvas, draw = to_canvas(picture)
    side, floor = side * FINE, floor * FINE
    far, near = side * rng.uniform(0.35, 0.65), side * rng.uniform(0.3, 0.7)
    wide = side * rng.uniform(0.12, 0.25)
    outline = [(far - wide * 0.12, floor), (far + wide * 0.12, floor), (near + wide, side), (near - wide, side)]
    draw.polygon(outline, fill=ink(colour))
    return to_picture(canvas.filter(ImageFilter.BoxBlur(2)))


def _sun_rays(rng: np.random.Generator, picture: Picture, colour: Colour) -> Picture:
    """Slanting beams of light through the leaves."""
    side = len(picture)
    rows, columns = np.mgrid[:side, :side].astype(np.float32) / side
    slant = columns - rows * rng.uniform(-0.9, 0.9)
    beams = 0.5 + 0.5 * np.sin(slant * rng.uniform(14, 30) + rng.uniform(0, 6) + 2 * np.sin(slant * 9))
    strength = rng.uniform(0.2, 0.45) * smoothstep(beams, 0.45, 1) * (1 - 0.7 * rows)
    return mix(picture, np.minimum(colour * 1.35, 255), strength[..., None])
