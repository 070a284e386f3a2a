"""Prints the table of a model's layers, shapes and parameters, as Keras 3 or Keras 2 does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import Any

import rich.console
import rich.markup
import rich.table

from scene_lightning.callbacks.messages import is_interactive_logging_enabled, print_message
from scene_lightning.errors import InputError
from scene_lightning.models.summary_keras2 import print_keras2_table
from scene_lightning.models.summary_rows import (
    Row,
    SummaryRows,
    count_weights,
    output_shapes,
    parameter_count,
    readable_size,
)
from scene_lightning.training.module import TrainableModule
from scene_lightning.tree import flatten, map_shape_structure

_BLUE, _CYAN, _GREEN, _RED = 33, 45, 34, 9  # rich's colour numbers, as in Keras


class SummaryMixin(TrainableModule):
    """The part of `Model` that prints its layers."""

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
        style: str = "keras3",
    ) -> None:
        """Print a table of the model's layers, their output shapes and parameters. Keras: `Model.summary`.

        Args:
            line_length: the table's width in characters; None takes up to 88 (108 with branches), or the terminal's.
            positions: where columns end, as fractions of the width.
            print_fn: called with the table instead of printing it: as one string, or line by line for style "keras2".
            expand_nested: list the layers of models inside the model, too.
            show_trainable: add a column that says whether a layer is trained.
            layer_range: names (or patterns) of the first and the last layer to list.
            style: "keras3", or "keras2" for the text table of Keras 2. Not in Keras.

        Raises:
            InputError: an unknown style, a range that matches nothing, or a width too small.
        """
        if style not in ("keras3", "keras2"):
            raise InputError(f"Unknown summary style {style!r}. Expected 'keras3' or 'keras2'.")
        table = SummaryRows(self)
        rows = table.rows(expand_nested, layer_range)
        if style == "keras2":
            print_keras2_table(
                self, rows, count_weights(self), table.sequential_like, line_length, positions, print_fn, show_trainable
            )
            return
        grid = _rich_table(table, rows, line_length, positions, show_trainable)
        _print_rich(self, grid, print_fn)


# -- Keras 3's table ---------------------------------------------------------------------------------------------------


def _colored(value: Any, color: int) -> str:
    return f"[color({color})]{value}[/]"


def _number(value: Any) -> str:
    return _colored(value, _CYAN if value is None else _GREEN)


def _bold(text: str, color: int | None = None) -> str:
    return f"[bold]{text if color is None else _colored(text, color)}[/]"


def _shape_text(layer: Any) -> str:
    shapes = output_shapes(layer)
    if shapes is None:
        return "?"
    texts = map_shape_structure(lambda shape: f"({', '.join(_number(n) for n in shape)})", shapes)
    leaves = flatten(texts)
    return leaves[0] if len(leaves) == 1 else str(texts).replace("'", "")


def _cells(row: Row, sequential_like: bool, show_trainable: bool) -> list[str]:
    layer = row.layer
    prefix = "   " * row.level + "└ " if row.level else ""
    name = rich.markup.escape(f"{prefix}{layer.name}")
    kind = rich.markup.escape(type(layer).__name__)
    count = parameter_count(layer)
    params = f"{_number(0)} (unbuilt)" if count is None else _number(f"{count:,}")
    cells = [f"{name} ({_colored(kind, _BLUE)})", _shape_text(layer), params]
    if not sequential_like:
        links = [f"{source}[{_number(node)}][{_number(tensor)}]" for source, node, tensor in row.connections]
        cells.append(", ".join(links) or "-")
    if show_trainable:
        flag = (_bold("Y", _GREEN) if layer.trainable else _bold("N", _RED)) if layer.weights else _bold("-")
        cells.append(flag)
    return cells


def _rich_table(
    table: SummaryRows,
    rows: list[Row],
    line_length: int | None,
    positions: Sequence[float] | None,
    show_trainable: bool,
) -> rich.table.Table:
    header, alignment = ["Layer (type)", "Output Shape", "Param #"], ["left", "left", "right"]
    edges, default_length = list(positions or [0.45, 0.80, 1.0]), 88
    if not table.sequential_like:
        header, alignment = [*header, "Connected to"], [*alignment, "left"]
        edges, default_length = list(positions or [0.3, 0.56, 0.74, 1.0]), 108
    if show_trainable:
        header, alignment = [*header, "Trainable"], [*alignment, "center"]
        edges, default_length = [*(edge * 0.90 for edge in edges), 1.0], default_length + 12
    length = line_length or min(default_length, shutil.get_terminal_size().columns - 4)
    columns, start = [], 0
    for edge, name, justify in zip(edges, header, alignment, strict=True):
        width = int(edge * length) - start
        if width < 4:
            raise InputError("Insufficient console width to print summary: give a larger line_length.")
        columns.append(rich.table.Column(name, justify=justify, width=width))  # type: ignore[arg-type]
        start += width
    grid = rich.table.Table(*columns, width=length, show_lines=True)
    for row in rows:
        grid.add_row(*_cells(row, table.sequential_like, show_trainable))
    return grid


def _print_rich(model: Any, grid: rich.table.Table, print_fn: Callable[[str], Any] | None) -> None:
    captures = print_fn is not None or not is_interactive_logging_enabled()
    if captures:
        console = rich.console.Console(highlight=False, force_terminal=False, color_system=None)
        console.begin_capture()
    else:
        console = rich.console.Console(highlight=False)
    counts = count_weights(model)
    lines = [
        ("Total", counts.total),
        ("Trainable", counts.trainable),
        ("Non-trainable", counts.non_trainable),
        *([("Optimizer", counts.optimizer)] if counts.optimizer else []),
    ]
    console.print(_bold(f'Model: "{rich.markup.escape(model.name)}"'))
    console.print(grid)
    for label, (count, size) in lines:
        console.print(_bold(f" {label} params: ") + _number(f"{count:,}") + f" ({readable_size(size)})")
    if captures:
        text = console.end_capture()
        if print_fn is None:
            print_message(text, line_break=False)
        else:
            print_fn(text)
