"""Prints a model's summary as the text table of Keras 2.13 to 2.15, line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scene_lightning.callbacks.messages import print_message
from scene_lightning.models.summary_rows import Row, WeightCounts, output_shapes, parameter_count, readable_size

_UNITS = ("Byte", "KB", "MB", "GB", "TB", "PB")
_BREAKS = ("),", "},", "],", "',")  # a cell goes on in the next line after the end of a tuple or list


def print_keras2_table(
    model: Any,
    rows: Sequence[Row],
    counts: WeightCounts,
    sequential_like: bool,
    line_length: int | None,
    positions: Sequence[float] | None,
    print_fn: Callable[[str], Any] | None,
    show_trainable: bool,
) -> None:
    """Print a model's rows and counts as Keras 2 did.

    Args:
        model: the model.
        rows: its layers.
        counts: its weights.
        sequential_like: whether the layers are one chain, so that there is no column of connections.
        line_length: the table's width in characters; None takes Keras 2's.
        positions: where columns end, as fractions of the width or in characters; None takes Keras 2's.
        print_fn: called with each line; None prints it.
        show_trainable: add a column of Y and N.
    """
    say = print_fn or print_message
    length = line_length or (65 if sequential_like else 98)
    edges = list(positions or ([0.45, 0.85, 1.0] if sequential_like else [0.3, 0.6, 0.70, 1.0]))
    columns = [int(length * edge) for edge in edges] if edges[-1] <= 1 else [int(edge) for edge in edges]
    header = ["Layer (type)", "Output Shape", "Param #", *([] if sequential_like else ["Connected to"])]
    if show_trainable:
        length += 11
        columns.append(length)
        header.append("Trainable")
    say(f'Model: "{model.name}"')
    say("_" * length)
    _print_cells(say, header, columns)
    say("=" * length)
    _print_rows(say, rows, columns, length, sequential_like, show_trainable)
    say("=" * length)
    # Keras 2 does not count the optimizer.
    count = counts.trainable[0] + counts.non_trainable[0]
    size = counts.trainable[1] + counts.non_trainable[1]
    for label, (values, size_bytes) in (
        ("Total", (count, size)),
        ("Trainable", counts.trainable),
        ("Non-trainable", counts.non_trainable),
    ):
        say(f"{label} params: {values} ({readable_size(size_bytes, _UNITS)})")
    say("_" * length)


def _print_rows(
    say: Callable[[str], Any],
    rows: Sequence[Row],
    columns: list[int],
    length: int,
    sequential_like: bool,
    show_trainable: bool,
) -> None:
    def frame(level: int, fill: str) -> str:
        return "|" * level + fill * (length - 2 * level) + "|" * level

    open_models: list[bool] = []  # for each model that is being listed: whether it is itself the last of its own
    for index, row in enumerate(rows):
        _print_cells(say, _fields(row, sequential_like, show_trainable), columns, row.level)
        if row.has_children:
            say(frame(row.level + 1, "¯"))
            open_models.append(row.is_last)
            continue
        if not row.is_last:
            say(frame(row.level, " "))
        next_level = rows[index + 1].level if index + 1 < len(rows) else 0
        for level in range(row.level - 1, next_level - 1, -1):
            say(frame(level, "¯"))
            if not open_models.pop():
                say(frame(level, " "))


def _fields(row: Row, sequential_like: bool, show_trainable: bool) -> list[str]:
    layer = row.layer
    shapes = output_shapes(layer)
    if type(layer).__name__ == "InputLayer" and shapes is not None:
        shapes = [shapes]  # Keras 2 kept an input's shape in a list
    count = parameter_count(layer)
    params = "0 (unused)" if count is None else str(count)
    fields = [f"{layer.name} ({type(layer).__name__})", "?" if shapes is None else str(shapes), params]
    if not sequential_like:
        fields.append(str([f"{name}[{node}][{tensor}]" for name, node, tensor in row.connections]))
    if show_trainable:
        fields.append("Y" if layer.trainable else "N")
    return fields


def _print_cells(say: Callable[[str], Any], fields: Sequence[str], columns: Sequence[int], level: int = 0) -> None:
    left = list(fields)
    while any(left):
        line = ""
        for index, end in enumerate(columns):
            is_last = index == len(columns) - 1
            start = columns[index - 1] if index else 0
            # Two blanks between columns, and one before the first; nested rows are framed on the left.
            cutoff = end - start - (0 if is_last else 3) - (level if index == 0 else 0)
            cell = left[index][:cutoff]
            ends = [cell.find(mark) + len(mark) for mark in _BREAKS if mark in cell]
            if ends:
                cutoff = min(ends)
                cell = cell[:cutoff]
            if index == 0:
                line += "|" * level + " "
            line += cell + ("" if is_last else "  ")
            left[index] = left[index][cutoff:]
            line += " " * (end - len(line) - (level if is_last else 0))
        say(line + "|" * level)
