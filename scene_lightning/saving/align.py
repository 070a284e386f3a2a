"""Lays a file's arrays out in the model's order; shapes are checked, and what does not fit is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scene_lightning.errors import FileFormatError, InputError
from scene_lightning.saving.archive import LayerWeights, ModelArchive

# Variables of random generators, which some Keras versions list among a layer's weights; no model needs them.
_SEED_STATES = ("StateVar", "seed_generator_state", "seed_state")


@dataclass
class _Own:
    """One array of the model, with what is known of it."""

    layer: str
    weight: str
    array: np.ndarray
    trained: bool


def align(
    model: LayerWeights, archive: ModelArchive, *, by_name: bool = False, skip_mismatch: bool = False
) -> list[np.ndarray | None]:
    """Return a file's arrays in the order of `model.all_arrays()`.

    Args:
        model: the model's own tree; its arrays give the expected shapes.
        archive: the file's contents.
        by_name: match top-level layers by name and leave the others (Keras' `load_weights(by_name=True)`).
        skip_mismatch: leave what does not fit instead of failing.

    Returns:
        One array per variable; None where a variable is to be left as it is (only with one of the two options).

    Raises:
        FileFormatError: a layer, a number of weights or a shape differs.
        InputError: `by_name`, of a file without names.
    """
    filled: dict[int, np.ndarray] = {}
    matcher = _Matcher(filled, archive.source or "the file", skip_mismatch)
    if by_name and not has_names(archive):
        raise InputError(
            f"{archive.source or 'The file'} has no names of layers, so by_name=True cannot find them. Leave it away: "
            "the weights are matched by the network's structure."
        )
    if by_name and archive.layout != "flat":
        matcher.named(model, archive.weights, matcher.ordered if archive.layout == "ordered" else matcher.structure)
    elif archive.layout == "flat":
        matcher.flat(model, archive.weights, by_name=by_name)
    elif archive.layout == "ordered":
        matcher.ordered(model, archive.weights)
    else:
        matcher.structure(model, archive.weights)
    return [filled.get(id(array)) for array in model.all_arrays()]


def has_names(archive: ModelArchive) -> bool:
    """Whether every layer with weights has its name in the file.

    Args:
        archive: what a file holds.
    """
    return all(child.name for child in archive.weights.children if child.has_weights())


class _Matcher:
    def __init__(self, filled: dict[int, np.ndarray], source: str, lenient: bool) -> None:
        self.filled, self.source, self.lenient = filled, source, lenient

    def structure(self, model: LayerWeights, file: LayerWeights) -> None:
        by_path = {node.path.removeprefix(file.path): node for node in file.walk()}
        expected_paths = set()
        for node in model.walk():
            path = node.path.removeprefix(model.path)
            expected_paths.add(path)
            saved = by_path.get(path)
            if not node.arrays and (saved is None or not saved.arrays):
                continue
            if saved is None:
                self._misfit(f"{self.source} has no weights for layer {_called(node)}.")
                continue
            self._fill(_called(node), _own(node), _without_seeds(saved), saved.weight_names, whole=True)
        extra = [node for path, node in by_path.items() if path not in expected_paths and _without_seeds(node)]
        if extra and not all(_is_generator(node.path) for node in extra):
            names = ", ".join(_called(node) for node in extra[:5])
            self._misfit(f"{self.source} has weights for layers that the model lacks: {names}.")

    def named(
        self, model: LayerWeights, file: LayerWeights, match: Callable[[LayerWeights, LayerWeights], None]
    ) -> None:
        """Top-level layers by their names, what is inside each by `match`."""
        by_name = {child.name: child for child in file.children if child.has_weights()}
        for child in model.children:
            if child.has_weights() and child.name in by_name:
                match(child, by_name[child.name])
        if model.arrays and file.arrays:
            self._fill(_called(model), _own(model), _without_seeds(file), _seedless_names(file))

    def flat(self, model: LayerWeights, file: LayerWeights, *, by_name: bool) -> None:
        ours = [child for child in model.children if child.has_weights()]
        theirs = [child for child in file.children if child.has_weights()]
        if by_name:
            index = {child.name or child.path.rsplit("/", 1)[-1]: child for child in theirs}
            pairs = [(child, index[child.name]) for child in ours if child.name in index]
        else:
            if len(ours) != len(theirs):
                raise FileFormatError(
                    f"Layer count mismatch: the model has {len(ours)} layers with weights, {self.source} has "
                    f"{len(theirs)} ({', '.join(child.name for child in theirs[:8])}). Load it into the network it was "
                    "saved from."
                )
            pairs = list(zip(ours, theirs, strict=True))
        for child, saved in pairs:
            names, arrays = _flattened(saved)
            self._fill_group(_called(child), child, arrays, names)
        if model.arrays and file.arrays:
            self._fill(_called(model), _own(model), file.arrays, file.weight_names)

    def ordered(self, model: LayerWeights, file: LayerWeights) -> None:
        if file.arrays and not file.children and model.children:  # Keras 3's export: a bare list in model order
            own = [item for node in model.walk() for item in _own(node)]
            self._fill(_called(model), own, _without_seeds(file), _seedless_names(file))
            return
        if model.arrays:
            self._fill(_called(model), _own(model), _without_seeds(file), _seedless_names(file))
        ours = [child for child in model.children if child.has_weights()]
        by_key = {child.path.rsplit("/", 1)[-1]: child for child in file.children if child.has_weights()}
        numbered = [child for key, child in by_key.items() if key.startswith("layer_with_weights-")]
        if not numbered:  # a subclassed model: layers stand under their attributes' names
            numbered = [by_key[key] for child in ours if (key := child.path.rsplit("/", 1)[-1]) in by_key]
        if len(ours) != len(numbered):
            self._misfit(
                f"Layer count mismatch: {_called(model)} has {len(ours)} layers with weights, {self.source} has "
                f"{len(numbered)}."
            )
        for child, saved in zip(ours, numbered, strict=False):
            self.ordered(child, saved)

    def _fill_group(self, called: str, group: LayerWeights, arrays: list[np.ndarray], names: list[str]) -> None:
        """A top-level layer, whose sub-layers' weights a flat file lists together: trained ones first."""
        own = [item for node in group.walk() for item in _own(node)]
        legacy = _trained_first(own)
        tails = [tuple(name.split(":")[0].split("/")[-2:]) for name in names]
        by_tail = dict(zip(tails, arrays, strict=False))
        keys = [(item.layer, item.weight) for item in own]
        if len(set(keys)) == len(own) and set(keys) == set(by_tail) and len(by_tail) == len(arrays) and group.children:
            legacy, arrays = own, [by_tail[key] for key in keys]  # names say it, whatever was frozen when it was saved
        self._fill(called, legacy, arrays, names)

    def _fill(
        self, called: str, own: list[_Own], arrays: list[np.ndarray], names: list[str], whole: bool = False
    ) -> None:
        """`whole`: a layer is left from its first misfit on, as Keras 3's own files have it; else weight for weight."""
        if len(own) != len(arrays):
            self._misfit(f"Layer {called} expects {len(own)} weights; {self.source} has {len(arrays)}.")
            return
        weights = [item.weight for item in own]
        tails = [name.split(":")[0].rsplit("/", 1)[-1] for name in names]
        if len(set(tails)) == len(tails) == len(arrays) and set(weights) == set(tails):
            arrays = [arrays[tails.index(weight)] for weight in weights]
        for item, array in zip(own, arrays, strict=True):
            if tuple(item.array.shape) != tuple(array.shape):
                self._misfit(
                    f"Shape mismatch in layer {called}, weight {item.weight or 'without a name'}: the model expects "
                    f"{tuple(item.array.shape)}, {self.source} has {tuple(array.shape)}."
                )
                if whole:
                    return
                continue
            self.filled[id(item.array)] = array

    def _misfit(self, message: str) -> None:
        if not self.lenient:
            raise FileFormatError(f"{message} Load it into the network it was saved from.")


def _own(node: LayerWeights) -> list[_Own]:
    names = node.weight_names or [""] * len(node.arrays)
    trained = node.trainable or [True] * len(node.arrays)
    layer = node.name or node.path.rsplit("/", 1)[-1]
    return [_Own(layer, *item) for item in zip(names, node.arrays, trained, strict=True)]


def _called(node: LayerWeights) -> str:
    return repr(node.name or node.path or "the model itself")


def _is_generator(path: str) -> bool:
    return path.rsplit("/", 1)[-1].startswith(("seed_generator", "generator", "random_generator"))


def _is_seed(name: str) -> bool:
    return name.split(":")[0].rsplit("/", 1)[-1] in _SEED_STATES


def _without_seeds(node: LayerWeights) -> list[np.ndarray]:
    if len(node.weight_names) != len(node.arrays):
        return node.arrays
    return [array for name, array in zip(node.weight_names, node.arrays, strict=True) if not _is_seed(name)]


def _seedless_names(node: LayerWeights) -> list[str]:
    return [name for name in node.weight_names if not _is_seed(name)]


def _flattened(group: LayerWeights) -> tuple[list[str], list[np.ndarray]]:
    """Names and arrays of a file's layer: a flat file has them in one list; a tree is flattened as Keras 2 would."""
    own = [item for node in group.walk() for item in _own(node)]
    kept = [item for item in _trained_first(own) if not _is_seed(item.weight)]
    names = [f"{item.layer}/{item.weight}" if group.children else item.weight for item in kept]
    return names, [item.array for item in kept]


def _trained_first(weights: list[_Own]) -> list[_Own]:
    return sorted(weights, key=lambda item: not item.trained)
