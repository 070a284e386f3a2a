"""Draws buildings and streets."""

from __future__ import annotations

import numpy as np

from scene_lightning.demo_scenes.canvas import (
    FINE,
    Colour,
    Light,
    Picture,
    bush,
    draw_light,
    ground_texture,
    ink,
    jitter,
    mix,
    paint_below,
    pick,
    rgb,
    shades,
    sky,
    smoothstep,
    to_canvas,
    to_picture,
)
from scene_lightning.demo_scenes.solids import LAMPLIGHT, NEAREST, Camera, View, draw_style


def buildings(rng: np.random.Generator, side: int) -> Picture:
    """Towers seen from below, a row of old fronts, or a house with a gable.

    Args:
        rng: where the random numbers come from.
        side: height and width of the picture in pixels.
    """
    light = draw_light(rng, night=0.12, low_sun=0.2)
    kind = rng.choice(["towers", "row", "house"], p=[0.5, 0.28, 0.22])
    picture = sky(rng, side, light)
    if kind == "towers":
        return _towers(rng, picture, light)
    return _row_of_fronts(rng, picture, light) if kind == "row" else _house(rng, picture, light)


def _towers(rng: np.random.Generator, picture: Picture, light: Light) -> Picture:
    """Two to five high blocks, the far ones first, paler."""
    side = len(picture) * FINE
    camera = Camera(
        side, 1.7, rng.uniform(-0.5, 0.5), rng.uniform(0.12, 0.5), rng.uniform(0.6, 1.0), rng.uniform(0.45, 0.62)
    )
    ground = float(camera.project(np.array([[0.0, 0.0, 400.0]]))[0, 1]) / FINE
    square = pick(rng, [rgb(122, 120, 118), rgb(84, 104, 64), rgb(96, 96, 98)]) * light.tint
    picture = paint_below(picture, np.full(len(picture), ground), square)
    canvas, draw = to_canvas(picture)
    view = View(rng, draw, camera, light)
    count = int(rng.integers(2, 6))
    for distance in np.sort(rng.uniform(20, 62, count))[::-1]:
        style = draw_style(rng, light).in_haze(light, float(smoothstep(np.asarray(distance), 30, 150)))
        x = np.tan(-camera.yaw) * -distance + rng.uniform(-0.75, 0.45) * distance
        view.box((x, distance), (rng.uniform(10, 24), rng.uniform(0.5, 1.5) * 28, rng.uniform(10, 24)), style)
    if rng.random() < 0.5:
        green = rgb(58, 84, 46) * light.tint
        for _ in range(int(rng.integers(1, 5))):
            bush(rng, draw, rng.uniform(0, side), side * 0.97, side * rng.uniform(0.06, 0.14), green)
    return to_picture(canvas)


def _row_of_fronts(rng: np.random.Generator, picture: Picture, light: Light) -> Picture:
    """Old houses wall to wall, seen from across a square, with cornices, doors and sloping roofs."""
    side = len(picture) * FINE
    camera = Camera(side, 3.0, rng.uniform(-0.45, 0.45), 0.0, rng.uniform(0.8, 1.1), rng.uniform(0.72, 0.9))
    canvas, draw = to_canvas(picture)
    view = View(rng, draw, camera, light)
    ground = float(camera.project(np.array([[0.0, 0.0, 22.0]]))[0, 1]) / FINE
    paving = pick(rng, [rgb(120, 118, 116), rgb(150, 140, 126), rgb(96, 118, 70)]) * light.tint
    distance, x = 22.0, -40.0
    while x < 40:
        style = draw_style(rng, light)
        width, height = rng.uniform(8, 16), rng.uniform(8, 19)
        left, right = np.array([x, 0.0, distance]), np.array([x + width, 0.0, distance])
        up = np.array([0.0, height, 0.0])
        if rng.random() < 0.7:
            slope, inset = np.array([0.0, height + rng.uniform(2, 4), 3.0]), np.array([1.2, 0.0, 0.0])
            roof = pick(rng, [rgb(120, 66, 50), rgb(82, 84, 92), rgb(104, 82, 66)]) * light.tint
            view.polygon([left + up, right + up, right + slope - inset, left + slope + inset], roof)
        view.wall(left, right, height, style, 1.0)
        cornice = np.array([0.0, 0.5, 0.0])
        view.polygon([left + up, right + up, right + up - cornice, left + up - cornice], style.wall * 1.15)
        door, tall = left + (right - left) * rng.uniform(0.2, 0.7), np.array([0.0, 2.6, 0.0])
        step = (right - left) / width * 1.4
        view.polygon([door, door + step, door + step + tall, door + tall], style.wall * 0.4)
        x += width + float(rng.choice([0, 0, 2.5]))
    picture = to_picture(canvas)
    stones = shades(paving, 0.8, 1.1, ground_texture(rng, len(picture), ground, 0.5, 2))
    return paint_below(picture, np.full(len(picture), ground), stones)


def _house(rng: np.random.Generator, picture: Picture, light: Light) -> Picture:
    """One house with a gabled roof on a lawn, between trees."""
    side = len(picture) * FINE
    camera = Camera(side, 2.0, rng.uniform(-0.1, 0.1), 0.02, rng.uniform(0.9, 1.25), rng.uniform(0.62, 0.74))
    style = draw_style(rng, light, modern_share=0)
    lawn = pick(rng, [rgb(86, 116, 58), rgb(110, 120, 72), rgb(140, 132, 116)]) * light.tint
    ground = float(camera.project(np.array([[0.0, 0.0, 60.0]]))[0, 1])
    blades = ground_texture(rng, len(picture), ground / FINE, 0.4, 3)
    picture = paint_below(picture, np.full(len(picture), ground / FINE), shades(lawn, 0.75, 1.15, blades))
    canvas, draw = to_canvas(picture)
    view = View(rng, draw, camera, light)
    leaf = pick(rng, [rgb(54, 84, 44), rgb(84, 104, 54), rgb(150, 110, 50)]) * light.tint
    for _ in range(int(rng.integers(2, 7))):
        bush(rng, draw, rng.uniform(0, side), ground - side * 0.08, side * rng.uniform(0.08, 0.2), leaf, 20)
    x, z, depth = rng.uniform(-8.5, -3.5), rng.uniform(14, 18), rng.uniform(7, 11)
    width, height, rise = rng.uniform(7.5, 11), rng.uniform(4, 7.5), rng.uniform(2.5, 4.5)
    near, far, up = np.array([x, 0.0, z]), np.array([0.0, 0.0, depth]), np.array([0.0, height, 0.0])
    across, ridge_up = np.array([width, 0.0, 0.0]), np.array([width / 2, height + rise, 0.0])
    turned = np.array([[1, 0, 0.35], [0, 1, 0], [-0.35, 0, 1.0]])

    def place(point: np.ndarray) -> np.ndarray:
        return near + turned @ point

    origin = np.zeros(3)
    roof = pick(rng, [rgb(132, 62, 46), rgb(78, 80, 88), rgb(112, 84, 64)]) * light.tint
    view.wall(place(across), place(across + far), height, style, 0.72)
    view.polygon([place(across + up), place(across + up + far), place(ridge_up + far), place(ridge_up)], roof * 0.85)
    view.polygon([place(up), place(up + far), place(ridge_up + far), place(ridge_up)], roof)
    view.polygon([place(up), place(across + up), place(ridge_up)], style.wall)
    view.wall(place(origin), place(across), height, style, 1.0)
    eaves = [
        tuple(point) for point in camera.project(np.stack([place(up), place(ridge_up), place(across + up)])).tolist()
    ]
    draw.line(eaves, fill=ink(roof * 0.7), width=max(side // 80, 1))
    door, tall = np.array([width * 0.42, 0.0, -0.02]), np.array([0.0, 2.3, 0.0])
    step = np.array([1.3, 0.0, 0.0])
    view.polygon([place(door), place(door + step), place(door + step + tall), place(door + tall)], roof * 0.55)
    for _ in range(int(rng.integers(0, 4))):
        bush(rng, draw, rng.uniform(0, side), side * rng.uniform(0.82, 0.95), side * rng.uniform(0.03, 0.08), leaf)
    return to_picture(canvas)


def street(rng: np.random.Generator, side: int) -> Picture:
    """A road to its vanishing point between rows of fronts, with pavements, markings, lamps, cars and people.

    Args:
        rng: where the random numbers come from.
        side: height and width of the picture in pixels.
    """
    light = draw_light(rng, night=0.1, low_sun=0.2)
    camera = Camera(
        side * FINE, rng.uniform(1.6, 4), rng.uniform(-0.16, 0.16), 0.0, rng.uniform(0.6, 0.95), rng.uniform(0.42, 0.58)
    )
    picture = sky(rng, side, light, 0.6)
    road = pick(rng, [rgb(84, 86, 90), rgb(104, 102, 100), rgb(68, 70, 76), rgb(126, 118, 108)], 8) * light.tint
    horizon = np.full(side, camera.horizon * side)
    paving = mix(road, rgb(176, 170, 160) * light.tint, 0.6)
    picture = paint_below(picture, horizon, shades(paving, 0.85, 1.08, ground_texture(rng, side, horizon[0], 0.5, 2)))
    canvas, draw = to_canvas(picture)
    view = View(rng, draw, camera, light)
    half, kerb = rng.uniform(3, 5.5), rng.uniform(1.5, 3.2)
    _road_surface(view, half, road)
    for left in (True, False):
        if rng.random() < 0.88:
            _street_side(view, half + kerb, left)
        else:
            for z in np.arange(60, 4, -6.0):
                _tree(view, (-1 if left else 1) * (half + kerb + 1), z)
    _furniture(view, half, kerb)
    return to_picture(canvas)


def _road_surface(view: View, half: float, road: Colour) -> None:
    """Asphalt, kerbs, a broken or double middle line, sometimes a crossing."""

    def strip(x0: float, x1: float, z0: float, z1: float, colour: Colour) -> None:
        view.polygon([np.array([x, 0.0, z]) for x, z in ((x0, z0), (x1, z0), (x1, z1), (x0, z1))], colour)

    strip(-half, half, NEAREST, 400, road)
    paint = (
        view.rng.choice([0.8, 1.0])
        * mix(rgb(236, 234, 226), rgb(228, 190, 84), float(view.rng.random() < 0.25))
        * view.light.tint
    )
    for edge in (-half, half):
        strip(edge - 0.12, edge + 0.12, NEAREST, 300, mix(road, paint, 0.55))
    markings = view.rng.choice(["broken", "double", "none"], p=[0.6, 0.2, 0.2])
    if markings == "broken":
        for z in np.arange(view.rng.uniform(1, 4), 90, 6):
            strip(-0.11, 0.11, z, z + 3, paint)
    elif markings == "double":
        strip(-0.3, -0.12, NEAREST, 300, paint)
        strip(0.12, 0.3, NEAREST, 300, paint)
    if view.rng.random() < 0.3:
        z = view.rng.uniform(4, 9)
        for x in np.arange(-half + 0.4, half - 0.4, 0.9):
            strip(x, x + 0.45, z, z + 2.6, paint)


def _street_side(view: View, x: float, left: bool) -> None:
    """Fronts wall to wall along one side of the street, the far ones first; shops on the ground floor."""
    x = -x if left else x
    ends = np.cumsum(view.rng.uniform(7, 18, 9)) + 1.0
    level = view.rng.uniform(7, 17)
    shade = view.rng.uniform(0.75, 1.1) if left else view.rng.uniform(0.55, 0.9)
    for z0, z1 in reversed(list(zip([1.0, *ends[:-1]], ends, strict=True))):
        style = draw_style(view.rng, view.light).in_haze(view.light, float(smoothstep(np.asarray(z0), 20, 220)))
        height = level * view.rng.uniform(0.75, 1.35)
        near, far = np.array([x, 0.0, z0]), np.array([x, 0.0, z1])
        depth = np.array([-9.0 if left else 9.0, 0.0, 0.0])
        up = np.array([0.0, height, 0.0])
        view.polygon([far, far + depth, far + depth + up, far + up], style.wall * 0.6)
        view.wall(near, far, height, style, shade)
        view.polygon([near, near + depth, near + depth + up, near + up], style.wall * shade * 0.8)
        shop, sign = np.array([0.0, 2.7, 0.0]), np.array([0.0, 3.4, 0.0])
        colour = pick(
            view.rng, [rgb(150, 50, 44), rgb(40, 80, 120), rgb(60, 96, 66), rgb(214, 180, 70), rgb(70, 64, 60)]
        )
        view.polygon([near, far, far + shop, near + shop], mix(style.glass, LAMPLIGHT, style.lit) * 0.8)
        view.polygon([near + shop, far + shop, far + sign, near + sign], colour * np.maximum(view.light.tint, 0.55))


def _tree(view: View, x: float, z: float) -> None:
    """A street tree at (x, z)."""
    foot, top = view.camera.project(np.array([[x, 0.0, z], [x, view.rng.uniform(4, 6), z]])).tolist()
    tall = foot[1] - top[1]
    view.draw.line(
        [tuple(foot), tuple(top)], fill=ink(rgb(70, 58, 48) * view.light.tint), width=max(int(tall * 0.07), 1)
    )
    bush(view.rng, view.draw, top[0], top[1], tall * 0.5, jitter(view.rng, rgb(66, 98, 48), 10) * view.light.tint)


def _furniture(view: View, half: float, kerb: float) -> None:
    """Lamps or trees at the kerbs, cars in the lanes and at the side, people on the pavements; far ones first."""
    things: list[tuple[float, str, float]] = []
    post = view.rng.choice(["lamp", "tree", "none"], p=[0.5, 0.3, 0.2])
    if post != "none":
        things += [
            (z, str(post), sign * (half + 0.6)) for z in np.arange(view.rng.uniform(5, 9), 70, 11) for sign in (-1, 1)
        ]
    for _ in range(int(view.rng.integers(0, 6))):
        lane = view.rng.choice([-1, 1]) * (half - 1.1 if view.rng.random() < 0.6 else half * 0.45)
        things.append((view.rng.uniform(8, 45), "car", lane))
    for _ in range(int(view.rng.integers(0, 8))):
        things.append(
            (view.rng.uniform(5, 30), "person", view.rng.choice([-1, 1]) * (half + view.rng.uniform(0.6, kerb)))
        )
    painters = {"tree": _tree, "lamp": _lamp, "car": _car, "person": _person}
    for z, kind, x in sorted(things, reverse=True):
        painters[kind](view, x, z)


def _lamp(view: View, x: float, z: float) -> None:
    """A post with an arm over the road; it shines when the view.light is low."""
    arm = x * 0.78
    foot, top, end = view.camera.project(np.array([[x, 0.0, z], [x, 5.5, z], [arm, 5.7, z]])).tolist()
    metal = ink(rgb(58, 60, 64) * np.maximum(view.light.tint, 0.5))
    wide = max(int(view.camera.side * 0.09 / z * 1.6), 1)
    view.draw.line([tuple(foot), tuple(top), tuple(end)], fill=metal, width=wide)
    glow = 1.5 * wide + 1
    colour = ink(LAMPLIGHT) if view.light.night or view.light.low_sun else metal
    view.draw.ellipse((end[0] - glow, end[1] - glow * 0.6, end[0] + glow, end[1] + glow * 0.6), fill=colour)


def _car(view: View, x: float, z: float) -> None:
    """A car from behind or in front: body, cabin with its window, wheels, lights."""
    paint = pick(view.rng, [rgb(180, 40, 38), rgb(220, 220, 222), rgb(50, 52, 58), rgb(52, 84, 140), rgb(206, 176, 60)])
    paint = paint * np.maximum(view.light.tint, 0.5)

    def plate(left: float, right: float, low: float, high: float, colour: Colour, narrow: float = 0) -> None:
        outline = [(left, low), (right, low), (right - narrow, high), (left + narrow, high)]
        view.polygon([np.array([x + across, up, z]) for across, up in outline], colour)

    plate(-0.95, 0.95, 0.0, 0.25, rgb(24, 24, 26))
    plate(-0.75, 0.75, 0.9, 1.5, paint * 0.8, 0.12)
    plate(-0.66, 0.66, 0.95, 1.4, rgb(58, 70, 84), 0.1)
    plate(-0.9, 0.9, 0.25, 0.95, paint)
    lights = rgb(226, 52, 40) if x > 0 else rgb(255, 246, 210)
    for at in (-0.85, 0.6):
        plate(at, at + 0.25, 0.6, 0.8, lights)
        plate(at, at + 0.25, 0.0, 0.3, rgb(16, 16, 18))


def _person(view: View, x: float, z: float) -> None:
    """Someone who stands or walks: legs, coat, head."""
    coat = pick(view.rng, [rgb(60, 64, 80), rgb(140, 52, 48), rgb(200, 190, 170), rgb(48, 84, 74)]) * np.maximum(
        view.light.tint, 0.5
    )
    foot, hip, neck, crown = view.camera.project(np.array([[x, up, z] for up in (0.0, 0.85, 1.45, 1.72)])).tolist()
    wide = (foot[1] - crown[1]) * 0.14
    view.draw.rectangle(
        (foot[0] - wide * 0.7, hip[1], foot[0] + wide * 0.7, foot[1]), fill=ink(rgb(40, 42, 52) * view.light.tint)
    )
    view.draw.rectangle((foot[0] - wide, neck[1], foot[0] + wide, hip[1]), fill=ink(coat))
    head = (foot[0] - wide * 0.6, crown[1], foot[0] + wide * 0.6, neck[1])
    view.draw.ellipse(head, fill=ink(rgb(196, 152, 124) * np.maximum(view.light.tint, 0.5)))
