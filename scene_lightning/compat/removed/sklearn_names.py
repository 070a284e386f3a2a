"""Names, modules and arguments that scikit-learn has removed since 0.17."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

from scene_lightning.compat.removed.patching import Methods, Modern, Names, amend, renamed, to
from scene_lightning.errors import UnsupportedError


def _get(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(f"sklearn.{module}"), name)


def _imputer(
    missing_values: Any = "NaN", strategy: str = "mean", axis: int = 0, verbose: int = 0, copy: bool = True
) -> Any:
    if axis != 0:
        raise UnsupportedError("Imputer(axis=1) fills rows, which SimpleImputer does not: transpose the table.")
    missing = math.nan if missing_values == "NaN" else missing_values
    return _get("impute.SimpleImputer")(missing_values=missing, strategy=strategy, copy=copy)


def _jaccard(y_true: Any, y_pred: Any, normalize: bool = True, sample_weight: Any = None) -> Any:
    kind = _get("utils.multiclass.type_of_target")(y_true)
    if kind.startswith("multilabel"):
        return _get("metrics.jaccard_score")(y_true, y_pred, average="samples", sample_weight=sample_weight)
    return _get("metrics.accuracy_score")(y_true, y_pred, normalize=normalize, sample_weight=sample_weight)


def _fetch_mldata(dataname: str, *_: Any, **__: Any) -> Any:
    raise UnsupportedError(
        f"sklearn.datasets.fetch_mldata({dataname!r}): the server mldata.org is gone. For MNIST use "
        "keras.datasets.mnist.load_data(), or fetch_openml('mnist_784') where there is a network."
    )


def _display(name: str) -> Modern:
    def plot(*args: Any, **kwargs: Any) -> Any:
        return _get(f"metrics.{name}").from_estimator(*args, **kwargs)

    return Modern(f"sklearn.metrics.{name}.from_estimator", plot)


NAMES: dict[str, Names] = {
    "sklearn": {
        name: Modern("sklearn.model_selection", f"sklearn.{name}")
        for name in ("cross_validation", "grid_search", "learning_curve")
    },
    "sklearn.externals": {"joblib": to("joblib"), "six": to("six")},
    "sklearn.datasets": {"fetch_mldata": Modern("sklearn.datasets.fetch_openml", _fetch_mldata)},
    "sklearn.decomposition": {
        "RandomizedPCA": Modern(
            "PCA(svd_solver='randomized')",
            lambda *args, **kwargs: _get("decomposition.PCA")(*args, svd_solver="randomized", **kwargs),
        )
    },
    "sklearn.metrics": {
        "calinski_harabaz_score": "sklearn.metrics.calinski_harabasz_score",
        "jaccard_similarity_score": Modern("sklearn.metrics.accuracy_score", _jaccard),
        "plot_confusion_matrix": _display("ConfusionMatrixDisplay"),
        "plot_det_curve": _display("DetCurveDisplay"),
        "plot_precision_recall_curve": _display("PrecisionRecallDisplay"),
        "plot_roc_curve": _display("RocCurveDisplay"),
    },
    "sklearn.mixture": {"GMM": "sklearn.mixture.GaussianMixture"},
    "sklearn.preprocessing": {"Imputer": Modern("sklearn.impute.SimpleImputer", _imputer)},
    "sklearn.utils": {"safe_indexing": to("sklearn.utils._safe_indexing")},
}


def _drop(*names: str) -> dict[str, tuple[str, None]]:
    return dict.fromkeys(names, ("leave it out", None))


def _rename(**names: str) -> dict[str, tuple[str, Callable[[dict[str, Any], Any], None]]]:
    return {old: (f"{new}=", renamed(new)) for old, new in names.items()}


# Module → class: the arguments that it has dropped or renamed.
_ARGUMENTS: dict[str, dict[str, dict[str, Any]]] = {
    "sklearn.cluster": {"KMeans": _drop("n_jobs", "precompute_distances")},
    "sklearn.ensemble": {
        "AdaBoostClassifier": {**_rename(base_estimator="estimator"), **_drop("algorithm")},
        "BaggingClassifier": _rename(base_estimator="estimator"),
        "GradientBoostingClassifier": _drop("min_impurity_split", "presort"),
        "RandomForestClassifier": _drop("min_impurity_split"),
    },
    "sklearn.linear_model": {"LogisticRegression": _drop("multi_class")},
    "sklearn.manifold": {"TSNE": _rename(n_iter="max_iter")},
    "sklearn.model_selection": {"GridSearchCV": _drop("iid"), "RandomizedSearchCV": _drop("iid")},
    "sklearn.preprocessing": {"OneHotEncoder": _rename(sparse="sparse_output")},
}
# What used to take these arguments in their order.
_BY_POSITION = {
    "sklearn.metrics": (
        "accuracy_score balanced_accuracy_score classification_report cohen_kappa_score confusion_matrix f1_score "
        "fbeta_score hamming_loss jaccard_score log_loss mean_absolute_error mean_squared_error precision_recall_curve "
        "precision_score recall_score roc_auc_score roc_curve"
    ),
    "sklearn.model_selection": "GridSearchCV KFold ShuffleSplit StratifiedKFold StratifiedShuffleSplit cross_val_score",
    "sklearn.utils.class_weight": "compute_class_weight compute_sample_weight",
}


def _root(kwargs: dict[str, Any], squared: Any) -> None:
    if not squared:
        raise UnsupportedError("mean_squared_error(squared=False) is now sklearn.metrics.root_mean_squared_error.")


def _patch(module: ModuleType) -> None:
    name = module.__name__
    for cls, arguments in _ARGUMENTS.get(name, {}).items():
        amend(getattr(module, cls), "__init__", shown=cls, arguments=arguments, positions=True)
    for function in _BY_POSITION.get(name, "").split():
        target = getattr(module, function, None)
        arguments = {"squared": ("root_mean_squared_error", _root)} if function == "mean_squared_error" else {}
        if isinstance(target, type):
            if function not in _ARGUMENTS.get(name, {}):
                amend(target, "__init__", shown=function, positions=True)
        elif target is not None:
            amend(module, function, shown=function, arguments=arguments, positions=True)


METHODS: dict[str, dict[str, Methods]] = {
    "sklearn.preprocessing": {
        "OneHotEncoder": {
            "get_feature_names": ("get_feature_names_out()", lambda encoder: encoder.get_feature_names_out)
        }
    }
}
PATCHES = dict.fromkeys({*_ARGUMENTS, *_BY_POSITION}, _patch)

MOVED = {
    "sklearn.cross_validation": Modern("sklearn.model_selection", "scene_lightning.compat.removed.sklearn_splits"),
    "sklearn.cluster.k_means_": to("sklearn.cluster"),
    "sklearn.externals.joblib": to("joblib"),
    "sklearn.externals.six": to("six"),
    "sklearn.grid_search": to("sklearn.model_selection"),
    "sklearn.learning_curve": to("sklearn.model_selection"),
    "sklearn.metrics.scorer": to("sklearn.metrics._scorer"),
    "sklearn.tree.tree": to("sklearn.tree"),
    "sklearn.utils.testing": to("sklearn.utils._testing"),
}


def successor(fullname: str) -> Modern | None:
    """Give what stands for a file of scikit-learn's own: they have got an underscore since.

    Args:
        fullname: the module that was not found.
    """
    parent, _, name = fullname.rpartition(".")
    if not parent.startswith("sklearn.") or name.startswith("_") or parent.startswith("sklearn.externals"):
        return None
    private = f"{parent}._{name}"
    return Modern(parent, private) if importlib.util.find_spec(private) is not None else None
