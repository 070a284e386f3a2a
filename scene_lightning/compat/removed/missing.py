"""Packages that are not installed: what a program is to install, and what stands for OpenCV."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from scene_lightning.compat.placeholder import script_frame
from scene_lightning.compat.removed.patching import Modern

PATCHES: dict[str, Callable[[ModuleType], None]] = {}

# The name that programs import → the distribution that has it.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "git": "gitpython",
    "kerastuner": "keras-tuner",
    "keras_tuner": "keras-tuner",
    "mpl_toolkits": "matplotlib",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "pyyaml",
}
# Packages that would not help here, and what does.
_INSTEAD = {
    "classification_models": "take the network from keras.applications",
    "efficientnet": "take EfficientNetB0 to B7 from keras.applications",
    "google": "google.colab is for notebooks in Colab: read the files from a folder",
    "keras_contrib": "it was never released; look for the name in keras.layers or keras.optimizers",
    "keras_vggface": "build the network with keras.applications and load_weights",
    "kaggle_datasets": "it is for Kaggle's own machines: read the files from a folder",
}


def hint(package: str) -> str | None:
    """What to do about a package that is not installed; None for names that cannot be one."""
    root = package.partition(".")[0]
    if root in _INSTEAD:
        return f"{root} is not installed, and would not help here: {_INSTEAD[root]}."
    if root.startswith("_"):
        return None
    distribution = _DISTRIBUTIONS.get(root, root.replace("_", "-"))
    return f"{root} is not installed. If it is no file of the program's own: pip install {distribution}"


def successor(fullname: str) -> Modern | None:
    """OpenCV's stand-in, for the program's own imports: libraries ask whether `cv2` is there, and it is not."""
    frame = script_frame()
    if fullname != "cv2" or frame is None or "site-packages" in frame.f_code.co_filename:
        return None
    what = "a stand-in for its commonest functions: pip install opencv-python-headless"
    return Modern(what, "scene_lightning.compat.opencv.functions")
