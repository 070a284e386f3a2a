"""Finds a data set's file in Keras' cache folder, or says which file belongs where."""

from __future__ import annotations

import os
from collections.abc import Iterable

from scene_lightning.errors import MissingFileError


def folder(subfolder: str = "") -> str:
    """Where Keras keeps data sets: `$KERAS_HOME/datasets`, by default `~/.keras/datasets`.

    Args:
        subfolder: of a data set's own; none by default.
    """
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    return os.path.join(os.path.expanduser(home), "datasets", subfolder).rstrip(os.sep)


def find(data_set: str, names: Iterable[str], origin: str, subfolder: str = "") -> str:
    """The first of `names` that is in the cache; an absolute path among them stands for itself.

    Args:
        data_set: for the error: "mnist".
        names: files or folders in the order of preference; the error asks for the first.
        origin: the address from which the first can be had.
        subfolder: of the cache folder; none by default.

    Raises:
        MissingFileError: none of them is there.
    """
    places = [os.path.join(folder(subfolder), name) for name in names]
    for place in places:
        if os.path.exists(place):
            return place
    raise MissingFileError(
        f"The data set {data_set} is not on this machine, and nothing is downloaded here. Expected the file "
        f"{places[0]}: fetch {origin} and put it there ($KERAS_HOME names another folder than ~/.keras)."
    )
