"""Draws a model's layers: as DOT text for Graphviz, or as a picture by matplotlib."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scene_lightning._atomic_write import atomic_write
from scene_lightning.callbacks.messages import print_message
from scene_lightning.errors import InputError
from scene_lightning.models.summary_rows import output_shapes


@dataclass
class _Box:
    layer: Any
    lines: list[str]
    row: int
    parents: list[int] = field(default_factory=list)


class DotText:
    """The part of `pydot.Dot` that programs use: the graph as DOT text, or drawn by matplotlib.

    `create_png()`, `write_svg(path)` and so on are there for each format that `create` takes.

    Args:
        text: the graph in Graphviz's language DOT.
        picture: draws it: takes a format such as "png" and gives bytes.
    """

    def __init__(self, text: str, picture: Callable[[str], bytes]) -> None:
        self._text = text
        self._picture = picture

    def to_string(self) -> str:
        """The DOT text."""
        return self._text

    def create(self, prog: Any = None, format: str = "ps", encoding: str | None = None) -> bytes:
        """The picture as bytes: `format` is "png", "svg", "pdf", "ps", "jpg", …, or "dot" for the text.

        Args:
            prog: the program of Graphviz that pydot would call; matplotlib draws instead.

        Raises:
            InputError: a format that matplotlib does not write.
        """
        if format in ("raw", "dot", "canon", "xdot"):
            return self._text.encode(encoding or "utf-8")
        return self._picture(format)

    def write(self, path: Any, prog: Any = None, format: str = "raw", encoding: str | None = None) -> bool:
        """Write what `create` gives to a file."""
        _write(path, self.create(prog, format, encoding))
        return True

    def __getattr__(self, name: str) -> Any:
        verb, _, format = name.partition("_")
        if verb in ("create", "write") and format:
            return functools.partial(getattr(self, verb), format=format)
        raise AttributeError(f"There is no {name!r} on a drawing: use to_string(), create or write")

    def __str__(self) -> str:
        return self._text


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    **kwargs: Any,
) -> DotText:
    """The graph of a model's layers as DOT text, for Graphviz. Keras: `utils.model_to_dot`.

    Args:
        model: a model whose layers are known.
        show_shapes: write output shapes into the boxes.
        show_dtype: write dtypes.
        show_layer_names: write the layers' names.
        rankdir: "TB" from top to bottom (default), "LR" from left to right.
        expand_nested: without effect: a model inside the model is one box.
        dpi: dots per inch.
        subgraph: without effect.
        show_layer_activations: write the activations' names.
        show_trainable: write whether a layer is trained.
        **kwargs: without effect.

    Returns:
        A `DotText` with `to_string()`, `create(format=)` and `write(path)`, as pydot's graphs have.

    Raises:
        InputError: the model has no layers to draw yet.
    """
    boxes = _boxes(model, show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    lines = ["digraph G {", f"rankdir={rankdir};", f"dpi={dpi};", "node [shape=box];"]
    for index, box in enumerate(boxes):
        label = "\\n".join(line.replace('"', '\\"') for line in box.lines)
        lines.append(f'n{index} [label="{label}"];')
    lines += [f"n{parent} -> n{index};" for index, box in enumerate(boxes) for parent in box.parents]
    return DotText("\n".join([*lines, "}"]) + "\n", lambda format: _drawn(boxes, format, rankdir, dpi))


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    **kwargs: Any,
) -> Any:
    """Draw a model's layers into a file. Keras: `utils.plot_model`.

    matplotlib draws, so that neither pydot nor Graphviz is needed.

    Args:
        model: a model whose layers are known.
        to_file: the path; its ending says the form: png, svg, pdf, jpg, …, or dot for the text.
        show_shapes: write output shapes into the boxes.
        show_dtype: write dtypes.
        show_layer_names: write the layers' names.
        rankdir: "TB" from top to bottom (default), "LR" from left to right.
        expand_nested: without effect: a model inside the model is one box.
        dpi: dots per inch.
        show_layer_activations: write the activations' names.
        show_trainable: write whether a layer is trained.
        **kwargs: without effect.

    Returns:
        In a notebook the picture (of a png or jpg); otherwise None.

    Raises:
        InputError: the model has no layers to draw yet, or a form that matplotlib does not write.
    """
    path = os.fspath(to_file)
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    shown = (show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    if path.endswith(".dot"):
        model_to_dot(model, show_shapes, show_dtype, show_layer_names, rankdir).write(path)
        return None
    _write(path, _drawn(_boxes(model, *shown), os.path.splitext(path)[1][1:] or "png", rankdir, dpi))
    print_message(f"Wrote {path}")
    if "ipykernel" in sys.modules and path.endswith((".png", ".jpg", ".jpeg")):
        from IPython.display import Image  # only a notebook has it

        return Image(filename=path)
    return None


def _boxes(
    model: Any, show_shapes: bool, show_dtype: bool, show_names: bool, show_activations: bool, show_trainable: bool
) -> list[_Box]:
    boxes = [_Box(layer, [], row) for row, layer in enumerate(model._operations)]
    if not boxes:
        raise InputError("The model has no layers to draw yet. Add layers first.")
    by_depth = getattr(model, "_nodes_by_depth", None)
    if by_depth is None:
        for index, box in enumerate(boxes[1:]):
            box.parents = [index]
    else:
        _place_by_depth(boxes, by_depth)
    for box in boxes:
        layer, kind = box.layer, type(box.layer).__name__
        box.lines.append(f"{layer.name} ({kind})" if show_names else kind)
        activation = getattr(getattr(layer, "activation", None), "__name__", None)
        if show_activations and activation:
            box.lines.append(f"activation: {activation}")
        if show_shapes:
            shapes = output_shapes(layer)
            box.lines.append(f"output: {'?' if shapes is None else shapes}")
        if show_dtype:
            box.lines.append(f"dtype: {getattr(layer, '_explicit_dtype', None) or 'float32'}")
        if show_trainable:
            box.lines.append("trainable" if layer.trainable else "not trainable")
    return boxes


def _place_by_depth(boxes: list[_Box], by_depth: dict[int, list[Any]]) -> None:
    index_of = {id(box.layer): index for index, box in enumerate(boxes)}
    deepest = max(by_depth)
    for depth in sorted(by_depth):  # a shared layer stands where it is called first
        for node in by_depth[depth]:
            box = boxes[index_of[id(node.layer)]]
            box.row = deepest - depth
            for parent in (index_of.get(id(node.layer)) for node in node.parents):
                if parent is not None and parent not in box.parents:
                    box.parents.append(parent)


def _drawn(boxes: list[_Box], format: str, rankdir: str, dpi: int) -> bytes:
    import matplotlib.pyplot as plt  # slow to import, and drawing is rare

    rows: dict[int, list[int]] = {}
    for index, box in enumerate(boxes):
        rows.setdefault(box.row, []).append(index)
    width = 0.09 * max(len(line) for box in boxes for line in box.lines) + 0.4
    height = 0.22 * max(len(box.lines) for box in boxes) + 0.25
    sideways = rankdir in ("LR", "RL")
    along, across = (width + 0.5, height + 0.3) if sideways else (height + 0.4, width + 0.3)
    place: dict[int, tuple[float, float]] = {}
    for rank, row in enumerate(sorted(rows)):
        for slot, index in enumerate(rows[row]):
            offset = (slot - (len(rows[row]) - 1) / 2) * across
            place[index] = (rank * along, offset) if sideways else (offset, -rank * along)
    long_side, wide_side = len(rows) * along, max(map(len, rows.values())) * across
    # Matplotlib cannot draw more than 2^16 pixels on a side.
    dots = min(dpi, int(60000 / max(long_side, wide_side)))
    figure = plt.figure(figsize=(long_side, wide_side) if sideways else (wide_side, long_side))
    axes = figure.add_axes((0, 0, 1, 1))
    for index, box in enumerate(boxes):
        for parent in box.parents:
            arrow = {"arrowstyle": "-|>", "color": "0.3", "shrinkA": 16, "shrinkB": 16, "lw": 0.8}
            axes.annotate("", xy=place[index], xytext=place[parent], arrowprops=arrow)
    for index, box in enumerate(boxes):
        style = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "0.2"}
        axes.text(*place[index], "\n".join(box.lines), ha="center", va="center", fontsize=8, bbox=style)
    xs, ys = zip(*place.values(), strict=True)
    axes.set_xlim(min(xs) - width, max(xs) + width)
    axes.set_ylim(min(ys) - height, max(ys) + height)
    axes.axis("off")
    picture = io.BytesIO()
    try:
        figure.savefig(picture, format=format, dpi=dots)
    except ValueError as error:
        raise InputError(f"Cannot draw the model as {format!r}: {error}") from error
    finally:
        plt.close(figure)
    return picture.getvalue()


def _write(path: Any, content: bytes) -> None:
    with atomic_write(path) as partial:
        partial.write_bytes(content)
