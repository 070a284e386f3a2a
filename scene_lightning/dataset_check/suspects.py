"""Finds labels that are probably wrong: by what a classifier says of images that it was not trained on.

Confident learning: C. G. Northcutt, L. Jiang and I. L. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
Labels", JAIR 70 (2021), https://arxiv.org/abs/1911.00068. Features come from a network whose weights stay as they are.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scene_lightning import models
from scene_lightning.data.copies import file_digest
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.data.scan import is_image_name
from scene_lightning.dataset_check.examine import FileFacts
from scene_lightning.dataset_check.findings import Finding
from scene_lightning.dataset_check.kept_features import KeptFeatures
from scene_lightning.dataset_check.tree import FileEntry
from scene_lightning.errors import InputError
from scene_lightning.inference.inputs import info_of_recipe, prediction_feed
from scene_lightning.inference.predictor import Predictor, RunOn, stdout_to_stderr
from scene_lightning.recipes.backbones import build_on_backbone
from scene_lightning.recipes.recipe import load_recipe
from scene_lightning.recipes.vocabulary import ARCHITECTURES
from scene_lightning.reports.run_folder import find_model

FEATURES_FROM = "scenes-large"  # the package's own, so that nothing is downloaded
FOLDS = 5
_SIDE = 160  # pixels that a backbone is shown, as docs/check.md measured it
_RUN_ON = RunOn(precision="auto")
_COMPONENTS = 256  # of the features' variance: the fit takes a tenth of the time, and its answers stay the same
_DECAY = 0.03  # L2 penalty on the weights; docs/check.md shows how it was chosen
_CLOSE = 1e-6  # rounding, as in cleanlab


def find_suspect_labels(
    files: Sequence[FileEntry],
    facts: Sequence[FileFacts],
    copies: Sequence[Finding],
    model: str = FEATURES_FROM,
    root: str = ".",
    progress: Callable[[int], None] | None = None,
) -> list[Finding]:
    """Images that other images of their own and of another class say are of the other, the least credible label first.

    Args:
        files: the files of a data folder.
        facts: what is known of each.
        copies: the findings of copies: those of one finding are answered for together, by others.
        model: a model file, a run folder, a name of the package's models or of a backbone (with ImageNet's weights),
            whose last features are used.
        root: the data folder, which the features are kept under for the next look.
        progress: called with a number of images after as many have gone through the network.

    Raises:
        InputError: no such model, or one without a last layer that features go into.
        DataError: a backbone's weights are not on this machine and cannot be fetched.
    """
    rows = [row for row, one in enumerate(facts) if one.fault is None and is_image_name(files[row].path)]
    several = any(files[row].labels for row in rows)
    names = sorted({name for row in rows for name in (files[row].labels if several else (files[row].class_name,))})
    if len(names) < 2:
        return []
    digests = [facts[row].digest for row in rows]
    features, rows = _features([files[row].path for row in rows], digests, rows, model, root, progress)
    place_of = {files[row].path: place for place, row in enumerate(rows)}
    groups = np.arange(len(rows))
    for finding in copies:
        places = [place_of[path] for path in finding.paths if path in place_of]
        groups[places] = min(places, default=0)
    if several:
        return _suspects_by_label([files[row] for row in rows], features, groups, names)
    labels = np.array([names.index(files[row].class_name) for row in rows], dtype=np.int64)
    probabilities = out_of_fold(features, labels, groups, len(names))
    findings = []
    for place, better in confident_errors(probabilities, labels):
        entry, given = files[rows[place]], names[labels[place]]
        chances = probabilities[place, better], probabilities[place, labels[place]]
        reason = f"Labelled {given}, and looks like {names[better]} ({chances[0]:.2f}, {given} {chances[1]:.2f})."
        figures = {"confidence": round(float(chances[0]), 4), "self_confidence": round(float(chances[1]), 4)}
        findings.append(
            Finding("suspect_label", reason, (entry.path,), (given,), (entry.split,), figures, names[better])
        )
    return findings


def _suspects_by_label(
    files: Sequence[FileEntry], features: NDArray[np.float32], groups: NDArray[np.int64], names: Sequence[str]
) -> list[Finding]:
    """Labels that are probably missing or wrong: each against its absence, as in cleanlab's multi-label filter."""
    findings = []
    for name in names:
        given = np.array([name in entry.labels for entry in files], dtype=np.int64)
        if not FOLDS <= given.sum() <= len(given) - FOLDS:
            continue  # too few of one side to learn from
        probabilities = out_of_fold(features, given, groups, 2)
        for place, better in confident_errors(probabilities, given):
            entry, chance, own = files[place], probabilities[place, 1], float(probabilities[place, given[place]])
            what = f"Not labelled {name}, and looks like it" if better else f"Labelled {name}, and looks otherwise"
            reason, cure = f"{what} ({chance:.2f}).", f"{'add' if better else 'remove'} {name}"
            figures = {"confidence": round(1 - own, 4), "self_confidence": round(own, 4)}
            about = (entry.path,), (entry.class_name,), (entry.split,)
            findings.append(Finding("suspect_label", reason, *about, figures, cure))
    return sorted(findings, key=lambda finding: finding.figures["self_confidence"])


def confident_errors(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The (row, likelier class) of each label that is confidently another: those beside the confident joint's diagonal.

    An image counts as one of class j when its probability of j is at least the mean probability of j among the images
    that are labelled j; of several such classes, of its likeliest one (equation 1 of the paper).

    Args:
        probabilities: (N, K), of images that the classifier was not trained on.
        labels: (N,) positions of classes.

    Returns:
        Sorted by the probability of the given label, the lowest first.
    """
    classes = probabilities.shape[1]
    # a class without images has no threshold that could be met
    thresholds = np.array(
        [probabilities[labels == one, one].mean() if (labels == one).any() else np.inf for one in range(classes)]
    )
    confident = np.where(probabilities >= thresholds - _CLOSE, probabilities, -1.0)
    likely = confident.argmax(axis=1)
    own = probabilities[np.arange(len(labels)), labels]
    wrong = (confident.max(axis=1) > own) & (likely != labels)
    order = np.flatnonzero(wrong)[np.argsort(own[wrong], kind="stable")]
    return [(int(row), int(likely[row])) for row in order]


def out_of_fold(
    features: NDArray[np.float32], labels: NDArray[np.int64], groups: NDArray[np.int64], classes: int
) -> NDArray[np.float32]:
    """(N, K): what a logistic regression that was fitted on the other folds answers for each image.

    Args:
        features: (N, D).
        labels: (N,) positions of classes.
        groups: (N,) images of one number are in one fold.
        classes: K.
    """
    features = _principal_components(features)
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    random = np.random.Generator(np.random.Philox(key=0))
    # dealt out like cards, class by class: each fold has its share of every class
    dealt = np.lexsort((random.random(len(first)), labels[first]))
    fold_of = np.empty(len(first), dtype=np.int64)
    fold_of[dealt] = np.arange(len(first)) % FOLDS
    folds = fold_of[member]
    answers = np.full((len(labels), classes), 1 / classes, dtype=np.float32)
    for fold in range(FOLDS):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(held) and len(rest):
            answers[held] = _logistic_regression(features[rest], labels[rest], features[held], classes)
    return answers


def _logistic_regression(
    features: NDArray[np.float32], labels: NDArray[np.int64], asked: NDArray[np.float32], classes: int
) -> NDArray[np.float32]:
    """Fit on (features, labels) and give the probabilities (n, K) of `asked`."""
    known, targets = torch.from_numpy(features), torch.from_numpy(labels)
    weight = torch.zeros(features.shape[1], classes, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(known @ weight + bias, targets) + _DECAY / 2 * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[arg-type]
    with torch.no_grad():
        return torch.softmax(torch.from_numpy(asked) @ weight + bias, dim=1).numpy()


def _principal_components(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) standardised, in the directions of the largest variance: (N, at most 256). It looks at no label."""
    standard = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    if standard.shape[1] <= _COMPONENTS:
        return standard
    _, directions = np.linalg.eigh(standard.T @ standard / len(standard))
    return np.ascontiguousarray(standard @ directions[:, -_COMPONENTS:])


def _features(
    paths: Sequence[str],
    digests: Sequence[str],
    rows: Sequence[int],
    model: str,
    root: str,
    progress: Callable[[int], None] | None,
) -> tuple[NDArray[np.float32], list[int]]:
    """What goes into the last layer of a model, (N, D), and the rows that it is of: those that could be read.

    Of images that the same model has seen in an earlier look, what it gave then.
    """
    trunk, weights = None, None
    if _is_backbone(model):
        trunk = _trunk_of(model)
        weights = _digest_of(trunk[0])
    elif os.path.isfile(file := find_model(model)):
        weights = str(file_digest(str(file)))
    keeping = KeptFeatures(root, weights)
    known = keeping.read()
    features = {digest: known[digest] for digest in digests if digest in known}
    new = {digest: path for path, digest in zip(paths, digests, strict=True) if digest not in features}
    if progress is not None:
        progress(len(paths) - len(new))
    if new:
        given, unreadable = _computed(list(new.values()), *(trunk or _trunk_of(model)), progress)
        read = [digest for digest, path in new.items() if path not in unreadable]
        features.update(zip(read, given, strict=True))
        keeping.write(features)
    kept = [place for place, digest in enumerate(digests) if digest in features]
    return np.stack([features[digests[place]] for place in kept]), [rows[place] for place in kept]


def _is_backbone(model: str) -> bool:
    return model in ARCHITECTURES and model != "paper" and not os.path.exists(model)


def _trunk_of(model: str) -> tuple[Any, ImageInfo]:
    """A network up to what goes into its last layer, (batch, features), and how it wants its images."""
    if _is_backbone(model):
        recipe = load_recipe("transfer", [("model.architecture", model), ("model.input_size", _SIDE)])
        network, info = build_on_backbone(recipe, num_classes=1), info_of_recipe(recipe, [""])
    else:
        predictor = Predictor.load(model, _RUN_ON)
        network, info = predictor.model, predictor.info
    last = network.layers[-1] if network.layers else None
    into = getattr(last, "input", None)
    if into is None or len(into.shape) != 2:
        raise InputError(f"{model!r} has no last layer that (batch, features) go into. Expected another --model.")
    return models.Model(network.inputs, into), info


def _digest_of(network: Any) -> str:
    """The same for networks of the same weights and input."""
    digest = hashlib.sha256(repr(network.input_shape).encode())
    for weight in network.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()


def _computed(
    paths: Sequence[str], trunk: Any, info: ImageInfo, progress: Callable[[int], None] | None
) -> tuple[NDArray[np.float32], Container[str]]:
    """What goes into the last layer for each file that can be read, (N, D), and the files that cannot."""
    feed = prediction_feed(info, paths, 32, strict=False)
    batches: list[NDArray[np.float32]] = []

    def take(outputs: NDArray[np.float32], _: object) -> None:
        batches.append(np.asarray(outputs, dtype=np.float32))
        if progress is not None:
            progress(len(outputs))

    with stdout_to_stderr():
        trunk.predict(feed, verbose=0, on_batch=take, **_RUN_ON.hardware())
    return np.concatenate(batches), feed.unreadable
