"""Says what prediction must know of a model's images beside the weights: their size, classes, colours and scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scene_lightning.data.decode import DecodeSpec


@dataclass(frozen=True)
class ImageInfo:
    """How a model wants its images; every model file keeps it.

    Attributes:
        class_names: in the order of the network's outputs.
        input_size: (height, width) in pixels.
        rescale: factor on grey levels of 0..255.
        color_mode: "rgb", "grayscale" or "rgba".
        interpolation: how images are resized.
        fit: how images of other proportions are brought to `input_size`: "stretch", "crop" or "pad".
        rejection: the rule for images of none of the classes (`inference/rejection.py`); None without one.
        thresholds: of a model that gives an image any number of labels, the probability from which on each one holds;
            None for a model that names one class.
        scaled_decoding: decode a large JPEG at a smaller scale before it is resized; False decodes every pixel.
    """

    class_names: Sequence[str]
    input_size: tuple[int, int]
    rescale: float = 1 / 255
    color_mode: str = "rgb"
    interpolation: str = "nearest"
    fit: str = "stretch"
    rejection: Mapping[str, Any] | None = None
    thresholds: Sequence[float] | None = None
    scaled_decoding: bool = True

    @property
    def spec(self) -> DecodeSpec:
        """How files become pixels: as people see them."""
        return DecodeSpec.as_seen(self.input_size, self.color_mode, self.interpolation, self.fit, self.scaled_decoding)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as model files and `model.image_info` keep them."""
        plain = {**asdict(self), "class_names": list(self.class_names), "input_size": list(self.input_size)}
        if self.thresholds is not None:
            plain["thresholds"] = list(self.thresholds)
        absent = [name for name in ("rejection", "thresholds") if plain[name] is None]
        absent += ["scaled_decoding"] if self.scaled_decoding else []  # as of all models that were made before
        return {name: value for name, value in plain.items() if name not in absent}

    def labels_of(self, probabilities: Sequence[float]) -> dict[str, float]:
        """The labels whose probabilities reach their thresholds, with these probabilities.

        Args:
            probabilities: (K,) of one image.
        """
        assert self.thresholds is not None
        rows = zip(self.class_names, probabilities, self.thresholds, strict=True)
        return {name: float(probability) for name, probability, threshold in rows if probability >= threshold}
