"""Draws the boxes of a model's layers with matplotlib: in as many columns as keep the picture legible."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from typing import Any

from scene_lightning.errors import InputError

Point = tuple[float, float]

POINTS = 7.0  # the text's size
LINE, PADDING, GAP, TRACK = 0.135, 0.07, 0.17, 0.09  # inches: line, box edge, space between boxes, between side lines
ONE_COLUMN, ONE_ROW = 9.5, 16.0  # inches of a picture that is not broken into columns, or into rows
LARGEST_SIDE, LARGEST_AREA = 60_000, 60_000_000  # pixels; matplotlib draws 2^16 a side at most
COLOURS = {  # by what a layer does; the first word that its type's name has
    "InputLayer": "#e6eaee", "Conv": "#cfe2fb", "Dense": "#cfe2fb", "Norm": "#f0f0f0", "Pool": "#d4eedd",
    "Flatten": "#d4eedd", "Reshape": "#d4eedd", "Padding": "#d4eedd", "Cropping": "#d4eedd", "Concat": "#e6dbf6",
    "Add": "#e6dbf6", "Multiply": "#e6dbf6", "Average": "#e6dbf6", "Maximum": "#e6dbf6", "Activation": "#fdeccb",
    "LU": "#fdeccb", "Softmax": "#fdeccb", "Drop": "#f0f0f0", "Random": "#f0f0f0", "Rescaling": "#f0f0f0",
}  # fmt: skip
OTHER_COLOUR, LINE_COLOUR, EDGE_COLOUR, GROUP_COLOUR = "#ffffff", "#57606a", "#57606a", "#f6f0e4"


@dataclass
class Box:
    """A layer of the picture.

    Args:
        layer: the layer.
        lines: what is written in it; the first line is set in bold.
        parents: indices of the boxes whose outputs it reads.
        group: names of the models that it is part of, from the outside; empty for layers of the model itself.
    """

    layer: Any
    lines: list[str]
    parents: list[int] = field(default_factory=list)
    group: tuple[str, ...] = ()


@dataclass
class _Layout:
    """Where boxes stand, in inches: `along` the flow, from its start, and `across` it."""

    along: list[float]
    across: list[float]
    column: list[int]
    edges: list[list[Point]]
    length: float
    breadth: float


def picture(boxes: list[Box], format: str, rankdir: str, dpi: int) -> bytes:
    """The drawing as a file's bytes.

    Args:
        boxes: the layers, each after those that it reads where there is no loop.
        format: "png", "svg", "pdf", ….
        rankdir: "TB", "BT", "LR" or "RL", as in Graphviz.
        dpi: dots per inch; fewer where the picture would have over 60 million pixels.

    Raises:
        InputError: a format that matplotlib does not write, or another `rankdir`.
    """
    import matplotlib.pyplot as plt  # slow to import, and drawing is rare

    if rankdir not in ("TB", "BT", "LR", "RL"):
        raise InputError(f'rankdir must be "TB", "BT", "LR" or "RL"; received {rankdir!r}.')
    sideways = rankdir in ("LR", "RL")
    lines = {(line, number == 0) for box in boxes for number, line in enumerate(box.lines)}
    longest = sorted(lines, key=lambda line: len(line[0]))[-12:]  # bold letters and narrow ones make little difference
    width = max(_text_width(*line) for line in longest)
    width += 2 * PADDING + 0.06
    height = LINE * max(len(box.lines) for box in boxes) + 2 * PADDING
    layout = _laid_out(boxes, *((width, height) if sideways else (height, width)), sideways)
    size = (layout.length, layout.breadth) if sideways else (layout.breadth, layout.length)

    def place(along: float, across: float) -> Point:
        along = layout.length - along if rankdir in ("BT", "RL") else along
        return (along, -across) if sideways else (across, -along)

    dots = min(dpi, LARGEST_SIDE / max(size), math.sqrt(LARGEST_AREA / (size[0] * size[1])))
    figure = plt.figure(figsize=size, facecolor="white")
    try:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, size[0])
        axes.set_ylim(-size[1], 0)
        axes.axis("off")
        centres = [place(*point) for point in zip(layout.along, layout.across, strict=True)]
        _draw_groups(axes, boxes, centres, layout.column, width, height)
        for edge in layout.edges:
            _draw_edge(axes, [place(*point) for point in edge])
        for box, centre in zip(boxes, centres, strict=True):
            _draw_box(axes, box, centre, width, height)
        content = io.BytesIO()
        figure.savefig(content, format=format, dpi=dots)
    except ValueError as error:
        raise InputError(f"Cannot draw the model as {format!r}: {error}") from error
    finally:
        plt.close(figure)
    return content.getvalue()


# -- where things stand ------------------------------------------------------------------------------------------------


def _laid_out(boxes: list[Box], box_along: float, box_across: float, sideways: bool) -> _Layout:
    ranks = _ranks(boxes)
    lanes = _lanes(boxes, ranks)
    links = [(parent, index) for index, box in enumerate(boxes) for parent in box.parents]
    step, lane_step = box_along + GAP, box_across + GAP
    total, breadth = (max(ranks) + 1) * step, (max(lanes) + 1) * lane_step + 2 * TRACK
    wanted = 1
    if total > (ONE_ROW if sideways else ONE_COLUMN):  # then a page's shape, whichever way it is read
        wanted = math.ceil(math.sqrt(total / breadth / 1.2 if sideways else total / breadth * 1.2))
    starts = _column_starts(ranks, links, wanted)
    column = [sum(start <= rank for start in starts) - 1 for rank in ranks]

    cells = {(rank, lane) for rank, lane in zip(ranks, lanes, strict=True)}
    clear = lambda lane, first, last: all((rank, lane) not in cells for rank in range(first, last))  # noqa: E731
    tracks = _side_tracks(links, ranks, lanes, column, clear)
    left, edge_of = [], GAP
    for number in range(len(starts)):
        left.append(edge_of)
        in_use = max(lane for lane, own in zip(lanes, column, strict=True) if own == number) + 1
        used = [track for (parent, _), track in tracks.items() if column[parent] == number]
        edge_of += in_use * lane_step + TRACK * (max(used, default=-1) + 1) + (GAP if len(starts) > 1 else 0)
    right = [*left[1:], edge_of]
    margin = 2 * GAP if len(starts) > 1 else GAP
    along = [margin + (rank - starts[own]) * step + box_along / 2 for rank, own in zip(ranks, column, strict=True)]
    across = [left[own] + lane * lane_step + box_across / 2 for lane, own in zip(lanes, column, strict=True)]
    bottom = max(along) + box_along / 2 + GAP

    sides = list(zip(left, right, strict=True))
    layout = _Layout(along, across, column, [], bottom, edge_of - (GAP if len(starts) > 1 else 0))
    for link in links:
        last = ranks[link[1]] if column[link[0]] == column[link[1]] else (*starts, max(ranks) + 1)[column[link[0]] + 1]
        free = clear(lanes[link[0]], ranks[link[0]] + 1, last)
        own = [lane for lane, there in zip(lanes, column, strict=True) if there == column[link[0]]]
        beside = left[column[link[0]]] + (max(own) + 1) * lane_step - GAP
        layout.edges.append(_route(layout, link, sides, tracks.get(link), free, beside, (box_along, box_across)))
    return layout


def _route(
    layout: _Layout,
    link: tuple[int, int],
    sides: list[Point],
    track: int | None,
    free: bool,
    beside: float,
    size: Point,
) -> list[Point]:
    """The corners of the line from one box to another.

    Args:
        layout: where the boxes stand.
        link: the boxes.
        sides: where each column begins and ends, across the flow.
        track: which line beside the boxes it is; None for one between them.
        free: whether nothing stands in the first box's lane on the way, or down to its column's foot.
        beside: where the boxes of the first one's column end, across the flow.
        size: a box, along and across the flow.
    """
    parent, child = link
    column, half = layout.column, size[1] / 2
    start, end = ((layout.along[index], layout.across[index]) for index in link)
    out, into = (start[0] + size[0] / 2, start[1]), (end[0] - size[0] / 2, end[1])
    foot, head = out[0] + GAP / 2, into[0] - GAP / 2
    if column[parent] != column[child]:
        side = sides[column[child]][0] - GAP * 0.75
        if track is None:  # from the foot of one column to the head of the next
            return [out, (foot, out[1]), (foot, side), (GAP, side), (GAP, into[1]), into]
        if column[child] == column[parent] + 1 and free:  # into the next column: a twig of the line to its head
            return [out, (foot, out[1]), (foot, side), (end[0], side), (end[0], end[1] - half)]
        off, below = sides[column[parent]][1] - GAP / 2, layout.length - GAP / 2
        return [(start[0], start[1] + half), (start[0], off), (below, off), (below, side), (end[0], side),
                (end[0], end[1] - half)]  # fmt: skip
    if track is not None:
        side = beside + TRACK * (track + 1)
        return [(start[0], start[1] + half), (start[0], side), (end[0], side), (end[0], end[1] + half)]
    turn = head if free else foot
    return [out, (turn, out[1]), (turn, into[1]), into]


def _ranks(boxes: list[Box]) -> list[int]:
    """How many layers lead to each at most; a layer that is called again stands where it is called first."""
    ranks: list[int] = []
    for index, box in enumerate(boxes):
        ranks.append(1 + max((ranks[parent] for parent in box.parents if parent < index), default=-1))
    return ranks


def _lanes(boxes: list[Box], ranks: list[int]) -> list[int]:
    """A lane for each box: that of a box it reads, if nothing stands between; the longest branch is the first."""
    heights = [0] * len(boxes)
    for index in reversed(range(len(boxes))):
        for parent in boxes[index].parents:
            if parent < index:
                heights[parent] = max(heights[parent], heights[index] + 1)
    lanes, taken = [0] * len(boxes), set()
    for index in sorted(range(len(boxes)), key=lambda index: (ranks[index], -heights[index], index)):
        parents = [parent for parent in boxes[index].parents if parent < index]
        first = max((ranks[parent] for parent in parents), default=ranks[index] - 1) + 1
        straight = [
            lanes[parent] for parent in parents
            if all((rank, lanes[parent]) not in taken for rank in range(ranks[parent] + 1, ranks[index] + 1))
        ]  # fmt: skip
        lane = 0
        while any((rank, lane) in taken for rank in range(first, ranks[index] + 1)):
            lane += 1
        lanes[index] = min(straight, default=lane)
        taken.add((ranks[index], lanes[index]))
    return lanes


def _column_starts(ranks: list[int], links: list[tuple[int, int]], wanted: int) -> list[int]:
    """The first rank of each column: where one line alone goes on, so that no block is torn apart, if there is one."""
    count = max(ranks) + 1
    target = math.ceil(count / wanted)
    crossing: list[set[int]] = [set() for _ in range(count + 1)]
    for parent, child in links:
        for rank in range(ranks[parent] + 1, ranks[child] + 1):
            crossing[rank].add(parent)
    starts = [0]
    while wanted > 1 and count - starts[-1] > target * 1.15:
        begin = starts[-1]
        places = range(begin + max(1, round(0.7 * target)), min(count - 1, begin + round(1.15 * target)) + 1)
        single = [rank for rank in places if len(crossing[rank]) == 1]
        starts.append(min(single or [begin + target], key=lambda rank: abs(rank - begin - target)))
    return starts


def _side_tracks(links: Any, ranks: list[int], lanes: list[int], column: list[int], clear: Any) -> dict[Any, int]:
    """The lines that must pass beside the boxes, as boxes stand in their way, each with a track that is free."""
    tracks: dict[tuple[int, int], int] = {}
    for parent, child in sorted(links, key=lambda link: abs(ranks[link[1]] - ranks[link[0]])):
        first, last = sorted((ranks[parent], ranks[child]))
        if column[parent] != column[child]:
            if last == first + 1:
                continue
        elif ranks[parent] < ranks[child] and (
            clear(lanes[parent], first + 1, last) or clear(lanes[child], first + 1, last)
        ):
            continue
        others = [
            track for (one, other), track in tracks.items()
            if column[one] == column[parent]
            and min(ranks[one], ranks[other]) < last and first < max(ranks[one], ranks[other])
        ]  # fmt: skip
        tracks[parent, child] = next(track for track in range(len(others) + 1) if track not in others)
    return tracks


# -- drawing -----------------------------------------------------------------------------------------------------------


def _text_width(text: str, bold: bool) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), text, POINTS, prop=FontProperties(weight="bold" if bold else "normal"), usetex=False)
    return float(path.vertices[:, 0].max(initial=0)) / 72


def _draw_groups(
    axes: Any, boxes: list[Box], centres: list[Point], column: list[int], width: float, height: float
) -> None:
    from matplotlib.patches import FancyBboxPatch

    members: dict[tuple[tuple[str, ...], int], list[Point]] = {}
    for box, centre, number in zip(boxes, centres, column, strict=True):
        for depth in range(1, len(box.group) + 1):
            members.setdefault((box.group[:depth], number), []).append(centre)
    for (names, _), points in sorted(members.items(), key=lambda item: len(item[0][0])):
        xs, ys = zip(*points, strict=True)
        margin = GAP / 2 - 0.02 * len(names)
        corner = (min(xs) - width / 2 - margin, min(ys) - height / 2 - margin)
        size = (max(xs) - min(xs) + width + 2 * margin, max(ys) - min(ys) + height + 2 * margin)
        axes.add_patch(
            FancyBboxPatch(
                corner, *size, boxstyle="round,pad=0,rounding_size=0.05", facecolor=GROUP_COLOUR, edgecolor="#c9b88f",
                linewidth=0.6, zorder=0.5,
            )
        )  # fmt: skip
        top = (corner[0] + 0.05, corner[1] + size[1] - margin / 2)
        style = {"fontsize": POINTS - 2, "color": "#6b5a2e", "va": "center", "ha": "left"}
        axes.text(*top, names[-1], parse_math=False, **style)


def _draw_edge(axes: Any, points: list[Point]) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    style: dict[str, Any] = {"arrowstyle": "-|>,head_length=0.35,head_width=0.16", "mutation_scale": 9}
    path = Path([point for number, point in enumerate(points) if number == 0 or point != points[number - 1]])
    axes.add_patch(
        FancyArrowPatch(path=path, color=LINE_COLOUR, fc=LINE_COLOUR, linewidth=0.7, zorder=1, fill=True, **style)
    )


def _draw_box(axes: Any, box: Box, centre: Point, width: float, height: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    kind = type(box.layer).__name__
    colour = next((colour for word, colour in COLOURS.items() if word in kind), OTHER_COLOUR)
    x, y = centre
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.04",
            facecolor=colour, edgecolor=EDGE_COLOUR, linewidth=0.6, zorder=2,
        )
    )  # fmt: skip
    first = y + LINE * (len(box.lines) - 1) / 2
    for number, line in enumerate(box.lines):
        weight, quiet = ("bold", "#1b1f24") if number == 0 else ("normal", "#3d444d")
        axes.text(
            x, first - LINE * number, line, fontsize=POINTS, fontweight=weight, color=quiet, ha="center",
            va="center_baseline", zorder=3, parse_math=False,
        )  # fmt: skip
