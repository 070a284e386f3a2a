"""Compares rules for "none of these": how many images of other things they accept where 95 % of the classes' stay.

    python -m benchmarks.rejection_rules MODEL TRAINING_DATA TEST_DATA OTHERS... [--coverage 0.95] [--cache DIR]

OTHERS are folders of images of other things. Thresholds, and the class means of "distance", are of the photographs that
the model's training held out; Mahalanobis' means and covariance and the neighbours of 1,500 that it was trained on.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from scene_lightning.data.scan import find_splits, relabel, scan_images
from scene_lightning.inference.evaluate import labelled_images
from scene_lightning.inference.held_out import held_out_images
from scene_lightning.inference.last_layer import last_dense, logits_of
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.inference.rejection import energy, fit

TRAINING_IMAGES, NEIGHBOURS = 1500, 10


def features(predictor: Predictor, paths: Sequence[str], cache: Path | None) -> np.ndarray:
    """(N, D) in the order of the paths, or as a file of an earlier run has them."""
    if cache is not None and cache.exists():
        return np.load(cache)
    rows: dict[int, np.ndarray] = {}
    keep = lambda positions, batch: rows.update(zip(positions, batch, strict=True))  # noqa: E731
    predictor.predict(paths, lambda *_: None, strict=True, verbose=False, on_features=keep)
    found = np.stack([rows[position] for position in range(len(paths))])
    if cache is not None:
        np.save(cache, found)
    return found


def scores(predictor: Predictor, trained: np.ndarray, labels: np.ndarray, held: np.ndarray, own: np.ndarray) -> Any:
    """Functions of features (N, D) by the rule's name: the higher, the more like the classes' images."""
    layer, unit = last_dense(predictor.model), lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)
    logits = lambda rows: logits_of(layer, rows)  # noqa: E731
    rule = fit("distance", logits(held), held, own, 0.95)
    means = np.stack([trained[labels == label].mean(axis=0) for label in np.unique(labels)])
    residuals = trained - means[np.searchsorted(np.unique(labels), labels)]

    def precision(rows: np.ndarray) -> np.ndarray:
        spread = np.cov(rows.T)
        return np.linalg.inv(spread + 1e-3 * np.trace(spread) / len(spread) * np.eye(len(spread)))

    shared, whole, centre, bank = precision(residuals), precision(trained), trained.mean(axis=0), unit(trained)
    squared = lambda rows, mean, inverse: ((rows - mean) @ inverse * (rows - mean)).sum(axis=1)  # noqa: E731
    mahalanobis = lambda rows: -np.min([squared(rows, mean, shared) for mean in means], axis=0)  # noqa: E731

    def neighbours(rows: np.ndarray) -> np.ndarray:
        return np.sort(unit(rows) @ bank.T, axis=1)[:, -NEIGHBOURS]

    return {
        "maximum probability": lambda rows: logits(rows).max(axis=1) - energy(logits(rows)),
        "energy": lambda rows: energy(logits(rows)),
        "Mahalanobis": mahalanobis,
        "relative Mahalanobis": lambda rows: mahalanobis(rows) + squared(rows, centre, whole),
        f"{NEIGHBOURS} nearest": neighbours,
        "distance": lambda rows: rule.scores(features=rows),
    }


def main() -> None:
    """Measure and print one table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("training_data")
    parser.add_argument("test_data")
    parser.add_argument("others", nargs="+")
    parser.add_argument("--coverage", type=float, default=0.95)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    predictor = Predictor.load(given.model, RunOn())

    def of(name: str, paths: Sequence[str]) -> np.ndarray:
        file = None if given.cache is None else given.cache / f"{name}.{Path(given.model).stem}.npy"
        return features(predictor, paths, file)

    recipe = predictor.model._recipe
    training = find_splits(given.training_data, recipe["data"]["val_split"], recipe["training"]["seed"]).train
    training = relabel(training, predictor.info.class_names)
    chosen = sorted(range(len(training)), key=training.paths.__getitem__)
    random.Random(0).shuffle(chosen)
    chosen = chosen[:TRAINING_IMAGES]
    held_out, test = held_out_images(predictor, given.training_data), labelled_images(given.test_data, predictor.info)
    trained = of("trained", [training.paths[row] for row in chosen])
    held, tested = of("held", held_out.paths), of("test", test.paths)
    labels, own, true = np.asarray(training.labels)[chosen], np.asarray(held_out.labels), np.asarray(test.labels)
    right = logits_of(last_dense(predictor.model), tested).argmax(axis=1) == true
    others = {Path(folder).name: of(Path(folder).name, scan_images([folder])) for folder in given.others}
    print(f"| {given.model} | coverage | accuracy kept | {' | '.join(f'{k} ({len(v)})' for k, v in others.items())} |")
    print(f"|{' --- |' * (len(others) + 3)}")
    for name, score in scores(predictor, trained, labels, held, own).items():
        reference, scored = score(held), score(tested)
        if name == "distance":
            threshold = fit("distance", held, held, own, given.coverage).threshold
        else:
            threshold = np.sort(reference)[int(len(reference) * (1 - given.coverage))]
        kept, cells = scored >= threshold, []
        for rows in map(score, others.values()):
            area = roc_auc_score(np.r_[np.ones(len(scored)), np.zeros(len(rows))], np.r_[scored, rows])
            cells.append(f"{(rows >= threshold).mean():.1%}, {area:.3f}")
        print(f"| {name} | {kept.mean():.1%} | {right[kept].mean():.4f} | {' | '.join(cells)} |")
    print(f"plain accuracy {right.mean():.4f} on {len(right)} photographs")


if __name__ == "__main__":
    main()
