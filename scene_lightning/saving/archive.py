"""What a model file holds, free of file formats and of models: configs, a tree of arrays, optimiser state, image info.

A model describes itself as the same tree (`LayerWeights`), so that writing needs no more than the tree and reading ends
in `align` (saving/align.py), which lays a file's arrays out in the model's own order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from scene_lightning._naming import snake_case
from scene_lightning.errors import FileFormatError

# structure: by path (.keras, .weights.h5) · flat: top-level layers in order (.h5) · ordered: those with weights, nested
Layout = Literal["structure", "flat", "ordered"]


@dataclass
class LayerWeights:
    """One layer (or the model itself) and its variables.

    Args:
        name: the layer's own name ("" when a file does not say).
        path: the place in Keras 3's files: "" for the model, "layers/conv2d_1", "layers/sequential/layers/dense"; for
            layers held in attributes of a subclassed model "head", or "blocks/conv2d" inside a list.
        arrays: the layer's own variables, the trainable kind first, then the others (Keras' order).
        weight_names: "kernel", "bias" … one per array; [] when a file does not say.
        trainable: one per array: is it trained now (False in a frozen layer)? [] counts as all True.
        children: sub-layers, in the model's order.
    """

    name: str = ""
    path: str = ""
    arrays: list[np.ndarray] = field(default_factory=list)
    weight_names: list[str] = field(default_factory=list)
    trainable: list[bool] = field(default_factory=list)
    children: list[LayerWeights] = field(default_factory=list)

    def walk(self) -> Iterator[LayerWeights]:
        """This layer, then all below it, in the model's order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def all_arrays(self) -> list[np.ndarray]:
        """Every array of the tree, in `walk` order."""
        return [array for node in self.walk() for array in node.arrays]

    def has_weights(self) -> bool:
        """Whether any array lies here or below."""
        return any(node.arrays for node in self.walk())


@dataclass
class OptimizerState:
    """An optimiser's variables, whichever Keras saved them, in Keras 3's order.

    Args:
        iterations: number of steps taken.
        learning_rate: None for a schedule, or where neither the variables nor the config say it.
        slots: per trainable weight, in model order, interleaved as Keras 3 has them (Adam: momentum, velocity,
            momentum, …); kinds that Keras lays out one after the other (RMSprop's, amsgrad's maxima) stay so.
    """

    iterations: int
    learning_rate: float | None = None
    slots: list[np.ndarray] = field(default_factory=list)

    def variables(self) -> list[np.ndarray]:
        """As Keras 3 saves them: iteration, the learning rate if there is one, slots."""
        head = [np.asarray(self.iterations, dtype="int32")]
        if self.learning_rate is not None:
            head.append(np.asarray(self.learning_rate, dtype="float32"))
        return head + self.slots


@dataclass
class ModelArchive:
    """One model file in memory.

    Args:
        config: Keras 3's {module, class_name, config, registered_name, build_config …}; None in a weights-only file.
        compile_config: Keras 3's {optimizer, loss, loss_weights, metrics, weighted_metrics …}; None when not compiled.
        weights: the root of the tree.
        layout: how the tree is to be matched with a model (see `align`): "structure", "flat" or "ordered".
        optimizer: None when the file holds no optimiser state.
        image_info: class_names, input_size, rescale, color_mode, interpolation, fit, rejection: an addition.
        images_seen: which images a run trained on, as the application's text; another addition.
        recipe: what a run was trained with; a third one.
        source: format and era, for messages: "Keras 3 .keras file (3.15.1)".
    """

    config: dict[str, Any] | None = None
    compile_config: dict[str, Any] | None = None
    weights: LayerWeights = field(default_factory=LayerWeights)
    layout: Layout = "structure"
    optimizer: OptimizerState | None = None
    image_info: dict[str, Any] | None = None
    images_seen: str | None = None
    recipe: dict[str, Any] | None = None
    source: str = ""

    def own_notes(self) -> dict[str, Any]:
        """What this package adds to Keras' files, without what is not known."""
        notes = {"image_info": self.image_info, "images_seen": self.images_seen, "recipe": self.recipe}
        return {name: value for name, value in notes.items() if value}

    def take_own_notes(self, notes: Any) -> None:
        """`own_notes` as read from a file, checked; anything that is no object counts as none.

        Raises:
            FileFormatError: a note is not what it should be.
        """
        if isinstance(notes, Mapping):
            self.image_info = check_image_info(notes.get("image_info"))
            self.images_seen = check_images_seen(notes.get("images_seen"))
            self.recipe = check_recipe(notes.get("recipe"))


def structural_keys(class_names: Iterable[str]) -> list[str]:
    """Return Keras 3's keys for the layers of one list: Conv2D, Dense, Conv2D → conv2d, dense, conv2d_1.

    The counter starts afresh in every list; a layer's own name plays no part. Source: keras/src/saving/saving_lib.py,
    `_save_container_state`.

    Args:
        class_names: the layers' class names, in order.
    """
    seen: Counter[str] = Counter()
    keys = []
    for class_name in class_names:
        base = snake_case(class_name)
        keys.append(f"{base}_{seen[base]}" if seen[base] else base)
        seen[base] += 1
    return keys


def check_images_seen(text: Any) -> str | None:
    """Check the text of `images_seen` that a file holds. Raises FileFormatError when it is no text.

    Args:
        text: what the file holds; None and "" count as none.
    """
    if text is not None and not isinstance(text, str):
        raise FileFormatError(f"images_seen should be text; received {type(text).__name__}.")
    return text or None


def check_recipe(recipe: Any) -> dict[str, Any] | None:
    """Check the recipe that a file holds. Raises FileFormatError when it is no object.

    Args:
        recipe: what the file holds; None and {} count as none.
    """
    if recipe is not None and not isinstance(recipe, dict):
        raise FileFormatError(f"recipe should be an object; received {type(recipe).__name__}.")
    return recipe or None


def check_image_info(info: Any) -> dict[str, Any] | None:
    """Return a file's image info with the keys we know checked; None for None.

    Args:
        info: what the file holds: class_names, input_size, rescale, color_mode, interpolation, fit, rejection.

    Raises:
        FileFormatError: a key holds something else than prediction expects.
    """
    if info is None:
        return None
    if not isinstance(info, Mapping):
        raise FileFormatError(f"image_info should be an object; received {type(info).__name__}.")
    names, size = info.get("class_names"), info.get("input_size")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise FileFormatError(f"image_info's class_names should be a list of strings; received {names!r:.200}.")
    if size is not None and not (
        isinstance(size, list) and len(size) == 2 and all(type(side) is int and 0 < side <= 2**16 for side in size)
    ):
        raise FileFormatError(f"image_info's input_size should be [height, width] in pixels; received {size!r:.200}.")
    thresholds = info.get("thresholds")
    if thresholds is not None and not (
        isinstance(thresholds, list) and all(isinstance(one, float) and 0 <= one <= 1 for one in thresholds)
        and isinstance(names, list) and len(thresholds) == len(names)
    ):  # fmt: skip
        raise FileFormatError(f"image_info's thresholds should be one of 0 to 1 a label; received {thresholds!r:.200}.")
    rescale = info.get("rescale")
    if rescale is not None and (not isinstance(rescale, int | float) or isinstance(rescale, bool)):
        raise FileFormatError(f"image_info's rescale should be a number; received {rescale!r:.200}.")
    rejection = info.get("rejection")
    if rejection is not None and not isinstance(rejection, dict):
        raise FileFormatError(f"image_info's rejection should be an object; received {rejection!r:.200}.")
    for key in ("color_mode", "interpolation", "fit"):
        if info.get(key) is not None and not isinstance(info[key], str):
            raise FileFormatError(f"image_info's {key} should be a string; received {info[key]!r:.200}.")
    return dict(info)
