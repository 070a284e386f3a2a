"""Draws the curves, confusion matrix and pictures of a run as PNG files; trains and loads nothing."""

from __future__ import annotations

import csv
import math
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from PIL import Image

from scene_lightning._atomic_write import atomic_write
from scene_lightning.data.decode import UNREADABLE, open_as_seen
from scene_lightning.errors import DataError, InputError
from scene_lightning.reports.fonts import give_fonts

# Okabe and Ito's palette: told apart by colour-blind readers too
_TRAIN, _VALIDATION, _WRONG, _RIGHT = "#0072B2", "#D55E00", "#B34700", "#00704F"  # the latter two dark enough to read
_PICTURE = 256  # pixels a side, at most, of an image in a grid
_MOST_SHOWN = 400  # images in a grid; beyond, the picture would not open in most viewers
_MOST_COUNTED = 45  # classes; beyond, cells are too small for a number
_MOST_LABELLED = 60  # classes; beyond, names would be too small to read


def save_figure(figure: Figure, path: str | Path, *, trim: bool = False) -> Path:
    """Save `figure` as a PNG, or what the ending of `path` says; the file appears only when it is complete.

    Args:
        figure: a figure without a canvas.
        path: the file; its folder is made.
        trim: fit the picture's edges to what is drawn: a square axes with long labels is wider than its layout knows.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    give_fonts(figure)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(w_pad=0.1, h_pad=0.1)  # inches; without it titles touch the edge
    edges: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.15} if trim else {}
    try:
        with atomic_write(path) as partial, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # a letter in no font: `give_fonts` has said it
            figure.savefig(partial, dpi=120, format=(path.suffix or ".png")[1:], **edges)
    except ValueError as error:  # an ending that is no picture format
        raise InputError(f"Cannot write {path}: {error}") from error
    return path


# ---- curves ---------------------------------------------------------------------------------------------------------


def read_history(path: str | Path) -> dict[str, list[float]]:
    """Read a CSV of metrics, one row an epoch or Lightning's several sparse rows an epoch, as name → values by epoch.

    Args:
        path: a file with a header.

    Raises:
        DataError: no such file, or no column with a number in it.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"Cannot read metrics from {path}: {error}. Expected a CSV file with a header.") from error
    epochs: dict[str, dict[str, float]] = {}
    for number, row in enumerate(rows):
        values = epochs.setdefault(row.get("epoch") or str(number), {})
        for name, text in row.items():
            if name and name not in ("epoch", "step") and isinstance(text, str) and text.strip() not in ("", "NA"):
                try:
                    values[name] = float(text)
                except ValueError:
                    raise DataError(f"{path}: expected a number for {name!r}; received {text!r}.") from None
    names = list(dict.fromkeys(name for values in epochs.values() for name in values))
    if not names:
        raise DataError(
            f"No metrics in {path}. Expected a header such as epoch,accuracy,loss and a row for each epoch."
        )
    return {name: [values.get(name, math.nan) for values in epochs.values()] for name in names}


def plot_curves(history: Mapping[str, Sequence[float]] | str | Path, path: str | Path) -> Path:
    """Loss and accuracy against epochs (from 1), training and validation, side by side.

    Args:
        history: name → one value an epoch (`History.history`), or the path of a metrics CSV. Validation may be missing,
            or have fewer values than training; a NaN is a gap.
        path: the picture's file.
    """
    values = read_history(history) if isinstance(history, str | Path) else history
    accuracy = next((name for name in ("accuracy", "acc") if name in values), None)
    accuracy = accuracy or next((name for name in values if name.endswith("accuracy") and "val_" not in name), None)
    shown = [name for name in ("loss", accuracy) if name]
    figure = Figure(figsize=(5.2 * len(shown), 4))  # fixed margins: to find them would take longer than to draw
    figure.subplots_adjust(0.13 / len(shown), 0.14, 1 - 0.04 / len(shown), 0.9, wspace=0.2)
    best = _best_epoch(values, accuracy)
    for column, name in enumerate(shown):
        axes = figure.add_subplot(1, len(shown), column + 1)
        _curve(axes, values.get(name, ()), "training", _TRAIN, "o-")
        _curve(axes, values.get(f"val_{name}", ()), "validation", _VALIDATION, "s--")
        axes.set_title(name.replace("_", " ").capitalize(), loc="left", fontweight="bold", parse_math=False)
        axes.set_xlabel("Epoch")
        _scale(axes, name, max(len(values.get(name, ())), len(values.get(f"val_{name}", ())), 1))
        _mark_best(axes, values.get(f"val_{name}", ()), best)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if axes.lines:
            axes.legend(frameon=False)
        else:
            axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", color="0.5")
    return save_figure(figure, path)


def _scale(axes: Axes, name: str, epochs: int) -> None:
    """A loss begins at zero, an accuracy ends at 100 %; whole epochs."""
    low, high = axes.get_ylim()
    if name == "loss":
        axes.set_ylim(min(low, 0) if low < 0 else 0, high + 0.05 * abs(high))
    else:
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
        room = 0.1 if high - low < 0.1 else 0.0  # a single epoch has no spread of its own
        axes.set_ylim(max(low - room, 0.0), min(high + room, 1.005))
    axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _best_epoch(values: Mapping[str, Sequence[float]], accuracy: str | None) -> int | None:
    """The epoch, from 0, with the highest validation accuracy, or else with the lowest validation loss."""
    for name, sign in ((f"val_{accuracy}", 1), ("val_loss", -1)):
        points = sign * np.asarray(values.get(name, ()), float)
        if np.isfinite(points).any():
            return int(np.nanargmax(np.where(np.isfinite(points), points, -math.inf)))
    return None


def _mark_best(axes: Axes, values: Sequence[float], best: int | None) -> None:
    if best is None or best >= len(values) or not math.isfinite(values[best]):
        return
    axes.axvline(best + 1, color="0.6", linewidth=1, linestyle=":", zorder=0)
    axes.plot(
        best + 1, values[best], "o", markersize=10, markerfacecolor="none", markeredgecolor=_VALIDATION,
        markeredgewidth=1.6, linestyle="none", label=f"best: epoch {best + 1}",
    )  # fmt: skip


def _curve(axes: Axes, values: Sequence[float], label: str, colour: str, style: str) -> None:
    points = np.asarray(values, float)
    points = np.where(np.isfinite(points), points, math.nan)
    if np.isfinite(points).any():
        small = 4 if len(points) <= 40 else 0  # dots on a long curve run into one another
        axes.plot(
            np.arange(1, len(points) + 1), points, style, color=colour, label=label, markersize=small, linewidth=1.6
        )


# ---- confusion matrix -----------------------------------------------------------------------------------------------


def plot_confusion_matrix(matrix: Any, class_names: Sequence[str], path: str | Path) -> Path:
    """Rows are true classes, columns predictions; a cell's colour is its share of the row, its text count and share.

    Args:
        matrix: (classes, classes) counts.
        class_names: one name a row.
        path: the picture's file.
    """
    counts = np.asarray(matrix)
    total = len(class_names)
    if counts.shape != (total, total) or total == 0:
        raise InputError(f"Expected a matrix of {total} x {total}, a row a class name; received shape {counts.shape}.")
    rows = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    names = [_in_lines(name) for name in class_names]
    size = min(max(3.2 + 0.75 * total, 4.6), 16)
    figure = Figure(figsize=(size + 0.9, size), layout="constrained")
    axes = figure.add_subplot()
    # The square root of the share: of 3 % and of none one sees the difference.
    picture = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    _write_counts(axes, counts, share, 72 * (size - 2.5) / total)
    if total <= _MOST_LABELLED:
        label_font = 10.5 if total <= 16 else max(10.5 - 0.08 * (total - 16), 6)
        turn: dict[str, Any] = {} if total <= 3 else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(total), names, fontsize=label_font, parse_math=False, **turn)
        axes.set_yticks(range(total), names, fontsize=label_font, parse_math=False)
    right = int(np.trace(counts))
    percent = 100 * right / max(int(counts.sum()), 1)
    percent = percent if right == counts.sum() else min(percent, 99.9)  # never 100 % while one is wrong
    title = f"{right:,} of {int(counts.sum()):,} right ({percent:.1f} %)"
    font = min(max(10, 0.95 * size), 16)  # a large picture is looked at as a whole
    axes.set_title(title, loc="left", fontweight="bold", fontsize=1.15 * font)
    axes.set_xlabel("Predicted class", fontsize=font)
    axes.set_ylabel("True class", fontsize=font)
    axes.set_xticks(np.arange(total + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(total + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2 if total <= 16 else 0.6)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(picture, ax=axes, fraction=0.046, pad=0.03, ticks=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1])
    bar.set_label("Share of the true class", fontsize=font)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    bar.outline.set_visible(False)  # type: ignore[operator]
    return save_figure(figure, path, trim=True)


def _write_counts(axes: Axes, counts: np.ndarray, share: np.ndarray, cell: float) -> None:
    """Counts, and the share of the row where there is room, into cells of `cell` points; nothing in a large matrix."""
    total = len(counts)
    if total > _MOST_COUNTED:
        return
    longest = max(len(f"{counts.max():,}"), 4)
    font = min(cell / (0.68 * longest), 11)
    for row, column in np.ndindex(counts.shape):
        few = total <= 16
        percent = f"\n{100 * share[row, column]:.0f} %" if few and counts[row].any() else ""
        text = f"{counts[row, column]:,}{percent}" if counts[row, column] or few else ""
        colour = "white" if share[row, column] > 0.35 else "black" if counts[row, column] else "0.6"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=font)


# ---- prediction grid ------------------------------------------------------------------------------------------------


def prediction_grid(
    images: Sequence[Any],
    predicted: Sequence[str],
    probabilities: Sequence[float],
    path: str | Path,
    *,
    n: int = 16,
    seed: int | None = 777,
    true_labels: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> Path:
    """A picture of `n` randomly chosen images with what each was taken for, how surely, and its file's name.

    Args:
        images: files, PIL images or arrays (H, W, C) or (H, W): uint8, or floats of 0..1; sizes may differ.
        predicted: the class name of each image.
        probabilities: of that class, 0..1, one an image.
        path: the picture's file.
        n: how many are shown (all, where there are fewer; 400 at most), in the order of `images`.
        seed: chooses which; None chooses anew at every call.
        true_labels: where given, a right answer is framed and titled in green, a wrong one in orange with a cross and
            the true class.
        names: written below the images; None for the names of their files, where they are files.

    Raises:
        DataError: no images, lists of different lengths, or none of the chosen files can be read.
    """
    lengths = {len(images), len(predicted), len(probabilities), len(images if true_labels is None else true_labels)}
    if len(lengths) > 1 or not images or n < 1:
        raise DataError(
            f"Expected at least one image, and a name and a probability for each; received {len(images)} images, "
            f"{len(predicted)} names, {len(probabilities)} probabilities, n={n}."
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images))[: min(n, _MOST_SHOWN)])
    columns = math.ceil(math.sqrt(len(chosen)))
    rows = math.ceil(len(chosen) / columns)
    figure = Figure(figsize=(2.3 * columns, 2.75 * rows), layout="constrained")
    for place, index in enumerate(chosen):
        axes = figure.add_subplot(rows, columns, place + 1)
        truth = None if true_labels is None else str(true_labels[index])
        _grid_cell(axes, images[index], str(predicted[index]), float(probabilities[index]), truth)
        source = images[index]
        name = names[index] if names is not None else Path(source).name if isinstance(source, str | Path) else ""
        axes.set_xlabel(_middle_cut(str(name), 30), fontsize=7, color="0.4", parse_math=False)
    return save_figure(figure, path)


def _grid_cell(axes: Axes, source: Any, predicted: str, probability: float, truth: str | None) -> None:
    colour, title = "black", f"{_short(predicted, 18)}  {100 * probability:.1f} %"
    if truth is not None:
        right = truth == predicted
        colour = _RIGHT if right else _WRONG
        title = f"✓ {title}\n" if right else f"✗ {title}\ntrue: {_short(truth, 18)}"
    image = _as_image(source)
    if image is None:
        axes.text(0.5, 0.5, "unreadable", transform=axes.transAxes, ha="center", va="center", color="0.4")
        axes.set_aspect("equal")
    else:
        axes.imshow(image, aspect="equal", cmap="gray" if image.ndim == 2 else None, vmin=0, vmax=255)
    axes.set_title(title, fontsize=9, color=colour, parse_math=False)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=colour, linewidth=0.8 if truth is None else 2.5)


def _as_image(source: Any) -> np.ndarray | None:
    """Anything a caller may hold → uint8 (H, W, 3) or (H, W), at most 256 pixels a side; None if it cannot be read."""
    if isinstance(source, str | Path):
        try:
            image = open_as_seen(source, _PICTURE)
        except UNREADABLE:
            return None
    elif isinstance(source, Image.Image):
        image = source.convert("RGB")
    else:
        pixels = np.asarray(source)
        if pixels.dtype.kind == "f":
            pixels = np.clip(np.nan_to_num(pixels) * (255 if pixels.max(initial=0) <= 1 else 1), 0, 255).round()
        pixels = pixels.astype(np.uint8)
        image = Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels)
    image.thumbnail((_PICTURE, _PICTURE))
    return np.asarray(image)


def _in_lines(name: Any, longest: int = 16) -> str:
    """A class name in two lines where it is long, and cut where it is longer."""
    lines = textwrap.wrap(str(name).replace("_", " "), longest) if len(str(name)) > longest else [str(name)]
    if len(lines) > 2:
        lines = [lines[0], _short(" ".join(lines[1:]), longest)]
    return "\n".join(lines)


def _middle_cut(name: str, longest: int) -> str:
    """The beginning and the end of a long name: the end of a file's name tells it from others."""
    half = (longest - 1) // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[-half:]}"


def _short(name: Any, longest: int = 20) -> str:
    text = str(name)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
