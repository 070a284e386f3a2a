"""Draws a model's layers: as DOT text for Graphviz, or as a picture by matplotlib."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

from scene_lightning._atomic_write import atomic_write
from scene_lightning.callbacks.messages import print_message
from scene_lightning.errors import InputError
from scene_lightning.models.summary_rows import output_shapes
from scene_lightning.utils.model_picture import Box, picture


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
        rankdir: "TB" from top to bottom (default), "LR" from left to right; "BT" and "RL" the reverse.
        expand_nested: draw the layers of a model inside the model; otherwise it is one box.
        dpi: dots per inch; fewer where the picture would have over 60 million pixels.
        subgraph: without effect.
        show_layer_activations: write the activations' names.
        show_trainable: write whether a layer is trained.
        **kwargs: without effect.

    Returns:
        A `DotText` with `to_string()`, `create(format=)` and `write(path)`, as pydot's graphs have.

    Raises:
        InputError: the model has no layers to draw yet.
    """
    boxes = _boxes(model, show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable,
                   expand_nested)  # fmt: skip
    lines = ["digraph G {", f"rankdir={rankdir};", f"dpi={dpi};", "node [shape=box];"]
    for index, box in enumerate(boxes):
        label = "\\n".join(line.replace('"', '\\"') for line in box.lines)
        lines.append(f'n{index} [label="{label}"];')
    lines += [f"n{parent} -> n{index};" for index, box in enumerate(boxes) for parent in box.parents]
    return DotText("\n".join([*lines, "}"]) + "\n", lambda format: picture(boxes, format, rankdir, dpi))


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

    matplotlib draws, so that neither pydot nor Graphviz is needed. A long model is broken into columns (rows with
    `rankdir="LR"`), to be read from left to right; colours tell what layers do.

    Args:
        model: a model whose layers are known.
        to_file: the path; its ending says the form: png, svg, pdf, jpg, …, or dot for the text.
        show_shapes: write output shapes into the boxes.
        show_dtype: write dtypes.
        show_layer_names: write the layers' names.
        rankdir: "TB" from top to bottom (default), "LR" from left to right; "BT" and "RL" the reverse.
        expand_nested: draw the layers of a model inside the model; otherwise it is one box.
        dpi: dots per inch; fewer where the picture would have over 60 million pixels.
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
    shown = (show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable, expand_nested)
    if path.endswith(".dot"):
        model_to_dot(model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested).write(path)
        return None
    _write(path, picture(_boxes(model, *shown), os.path.splitext(path)[1][1:] or "png", rankdir, dpi))
    print_message(f"Wrote {path}")
    if "ipykernel" in sys.modules and path.endswith((".png", ".jpg", ".jpeg")):
        from IPython.display import Image  # only a notebook has it

        return Image(filename=path)
    return None


def _boxes(
    model: Any,
    show_shapes: bool,
    show_dtype: bool,
    show_names: bool,
    show_activations: bool,
    show_trainable: bool,
    expand_nested: bool,
) -> list[Box]:
    boxes = _connected(model, expand_nested)
    if not boxes:
        raise InputError("The model has no layers to draw yet. Add layers first.")
    for box in boxes:
        layer, kind = box.layer, type(box.layer).__name__
        box.lines.append(f"{layer.name} ({kind})" if show_names else kind)
        inner = getattr(layer, "_operations", None)
        if inner:
            box.lines.append(f"{len(inner)} layers")
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


def _connected(model: Any, expand_nested: bool, group: tuple[str, ...] = ()) -> list[Box]:
    """A box a layer, each after those that it reads; with `expand_nested` the layers of inner models in their place."""
    by_depth = getattr(model, "_nodes_by_depth", None)
    if by_depth is None:
        layers = list(model._operations)
        calls = [(layer, [layers[index - 1]] if index else []) for index, layer in enumerate(layers)]
    else:
        nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
        calls = [(node.layer, [parent.layer for parent in node.parents]) for node in nodes]
    boxes: list[Box] = []
    inputs: dict[int, list[int]] = {}  # by layer: the boxes that read what it is given
    outputs: dict[int, list[int]] = {}
    for layer, _ in calls:
        if id(layer) in inputs:
            continue
        first = len(boxes)
        inner = _connected(layer, True, (*group, layer.name)) if expand_nested and hasattr(layer, "_operations") else []
        for box in inner:
            box.parents = [first + parent for parent in box.parents]
        boxes += inner or [Box(layer, [], group=group)]
        own = range(first, len(boxes))
        read = {parent for index in own for parent in boxes[index].parents}
        inputs[id(layer)] = [index for index in own if not boxes[index].parents]
        outputs[id(layer)] = [index for index in own if index not in read]
    for layer, parents in calls:
        for index in inputs[id(layer)]:
            given = [source for parent in parents for source in outputs.get(id(parent), [])]
            boxes[index].parents += [source for source in given if source not in boxes[index].parents]
    return boxes


def _write(path: Any, content: bytes) -> None:
    with atomic_write(path) as partial:
        partial.write_bytes(content)
