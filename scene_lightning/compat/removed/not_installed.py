"""Says what to install for a package that is not there, and lets a stand-in answer for OpenCV."""

from __future__ import annotations

from scene_lightning._unsupported import advice_of_table, script_frame
from scene_lightning.compat.removed.patching import Modern

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


def install_hint(package: str) -> str | None:
    """Say what to do about a package that is not installed; None for names that cannot be one.

    Args:
        package: the dotted name that could not be imported.
    """
    root = package.partition(".")[0]
    if (instead := advice_of_table(root)) is not None:
        return f"{root} is not installed, and would not help here. {instead}."
    if root.startswith("_"):
        return None
    distribution = _DISTRIBUTIONS.get(root, root.replace("_", "-"))
    return f"{root} is not installed. If it is no file of the program's own: pip install {distribution}"


def successor(fullname: str) -> Modern | None:
    """Give OpenCV's stand-in to the program's own imports: libraries ask whether `cv2` is there, and it is not.

    Args:
        fullname: the module that was not found.
    """
    frame = script_frame()
    if fullname != "cv2" or frame is None or "site-packages" in frame.f_code.co_filename:
        return None
    what = "a stand-in for its commonest functions: pip install opencv-python-headless"
    return Modern(what, "scene_lightning.compat.opencv.functions")
