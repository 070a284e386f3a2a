"""Says which parts of pictures speak for a class: Grad-CAM and its kin, and occlusion, on a model and arrays.

Grad-CAM: R. Selvaraju et al., https://arxiv.org/abs/1610.02391. LayerCAM: P. Jiang et al., IEEE TIP 30 (2021).
HiResCAM: R. Draelos and L. Carin, https://arxiv.org/abs/2011.08891.
Occlusion: M. Zeiler and R. Fergus, https://arxiv.org/abs/1311.2901.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scene_lightning._registry import did_you_mean
from scene_lightning.data.color_modes import CHANNELS
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.inference.predictor import as_probabilities, gives_logits
from scene_lightning.inference.spatial_layers import LayerCall, Tap, last_spatial, layer_calls, named_spatial

METHODS = ("layercam", "gradcam", "hirescam", "occlusion")
_WINDOWS = 5  # occlusion's square goes into the picture's side so often; it moves by half of itself
_PIXELS_A_PLACE = 18  # of LayerCAM's map at most, so that it is not the coarsest: docs/explain.md has the measurement
_AT_ONCE = 36  # covered pictures a forward pass
_TINY = 1e-30


class HeatMapper:
    """Makes heat maps of one model, which stays as it is: a copy that shares its weights is looked into.

    Several threads may call it; one works at a time.

    Args:
        model: a built classifier of images.
        method: "layercam", "gradcam", "hirescam" or "occlusion"; None for LayerCAM, or for occlusion where no layer has
            a map that the answer is read from.
        layer: whose maps are taken: a layer's name, or its path in nested models ("backbone/top_conv"); None for
            the last one that has maps (LayerCAM: fine ones) and that the whole answer is read from.

    Raises:
        InputError: an unknown method or layer, or a model without maps for the method.
    """

    def __init__(self, model: Any, *, method: str | None = None, layer: str | None = None) -> None:
        if method is not None and method not in METHODS:
            raise InputError(
                f"Unknown method {method!r}. Expected one of {', '.join(METHODS)}.{did_you_mean(method, METHODS)}"
            )
        if method == "occlusion" and layer is not None:
            raise InputError("Occlusion looks at no layer: leave the layer or the method away.")
        _captum()
        shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        self._original, self._model = model, copy.deepcopy(model, shared).eval()
        for module in self._model.modules():  # of a model that is predicting: layers that folding left out are called
            if getattr(module, "_folds", None) is not None:
                module._folds = None  # type: ignore[assignment]
        self._method, self._layer = method, layer
        self._call: LayerCall | None = None
        self._tap: Tap | None = None
        self._classes = 0  # known after the first picture
        self._lock = threading.Lock()

    @property
    def method(self) -> str | None:
        """What makes the maps; None before the first picture where it was left open."""
        return self._method

    @property
    def layer(self) -> str | None:
        """The path of the layer whose maps are taken; None for occlusion, and before the first picture."""
        return None if self._call is None else self._call.path

    def probabilities(self, images: Any) -> NDArray[np.float32]:
        """(N, K), as the model answers.

        Args:
            images: (batch, height, width, channels) as the model is fed.
        """
        with self._lock, _gradients(False):
            return self._probabilities(self._run(self._as_tensor(images))[0])

    def maps(self, images: Any, classes: Sequence[int] | None = None) -> NDArray[np.float32]:
        """How much each place speaks for a class: (batch, height, width), below 0 where it speaks against it.

        Args:
            images: (batch, height, width, channels) as the model is fed.
            classes: the class of each picture; None for the one that the model answers.
        """
        with self._lock:
            inputs = self._as_tensor(images)
            self._prepare(inputs[:1])
            if classes is None:
                with _gradients(False):
                    classes = self._probabilities(self._run(inputs)[0]).argmax(axis=1).tolist()
            assert classes is not None
            if wrong := [one for one in classes if not 0 <= one < self._classes]:
                raise InputError(f"Expected classes of 0 to {self._classes - 1}; received {wrong[0]}.")
            with _gradients(False):
                targets = torch.as_tensor(list(classes), dtype=torch.int64, device=inputs.device)
            if self._method == "occlusion":
                return self._occluded(inputs, targets)
            return self._of_layer(inputs, targets)

    def _prepare(self, inputs: Tensor) -> None:
        """Choose the method and the layer, where they were left open, by one forward pass."""
        if self._classes:
            return
        if self._method != "occlusion":
            with _gradients(False):
                calls = layer_calls(self._model, lambda: self._model(inputs, training=False), _channels_first(inputs))
            if self._layer is not None:
                chosen: LayerCall | None = named_spatial(calls, self._layer)
            else:
                side = min(inputs.shape[2:] if _channels_first(inputs) else inputs.shape[1:3])
                finer_than = side / _PIXELS_A_PLACE if self._method in (None, METHODS[0]) else 0
                chosen = last_spatial(calls, lambda call: self._carries_all(call, inputs), finer_than)
            if chosen is None and self._method is not None:
                raise InputError(
                    f"Method {self._method!r} needs a layer whose output is a map over the picture and which the "
                    "answer is read from without attention; the model has none. Use the method 'occlusion', or name "
                    "a layer."
                )
            self._method = self._method or ("occlusion" if chosen is None else METHODS[0])
            self._call = chosen
            self._tap = None if chosen is None else Tap(chosen)
        with _gradients(False):
            self._classes = max(2, self._run(inputs)[0].shape[1])

    def _carries_all(self, call: LayerCall, inputs: Tensor) -> bool:
        """Whether nothing of the picture gets past the output of a call: no gradient does."""
        self._tap = Tap(call, blocking=True)
        try:
            with _gradients(True):
                pictures = inputs.clone().requires_grad_()
                score = self._run(pictures)[1].sum()
                (gradient,) = torch.autograd.grad(score, [pictures], allow_unused=True)
        finally:
            self._tap.remove()
            self._tap = None
        return gradient is None

    def _of_layer(self, inputs: Tensor, targets: Tensor) -> NDArray[np.float32]:
        attr = _captum()
        with _gradients(True):
            if self._method == "layercam":
                parts = self._layer_cam(inputs, targets)
            else:  # HiResCAM is gradient times activation, summed over the channels
                kind = attr.LayerGradCam if self._method == "gradcam" else attr.LayerGradientXActivation
                parts = kind(self._scores, self._tap).attribute(inputs, targets)
        small = parts.detach().float().sum(dim=1, keepdim=True)
        side = inputs.shape[1:3] if not _channels_first(inputs) else inputs.shape[2:]
        large = torch.nn.functional.interpolate(small, size=tuple(side), mode="bicubic", align_corners=False)
        return large[:, 0].cpu().numpy()

    def _layer_cam(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Activations where more of them would raise the class's score, by how much it would."""
        assert self._tap is not None
        maps: list[Tensor] = []
        hook = self._tap.register_forward_hook(lambda module, args, output: maps.append(output))
        try:
            score = self._scores(inputs).gather(1, targets[:, None]).sum()
        finally:
            hook.remove()
        (gradient,) = torch.autograd.grad(score, maps)
        return gradient.clamp_min(0) * maps[0]

    def _occluded(self, inputs: Tensor, targets: Tensor) -> NDArray[np.float32]:
        first = _channels_first(inputs)
        rows, columns = inputs.shape[2:] if first else inputs.shape[1:3]
        channels = inputs.shape[1] if first else inputs.shape[3]
        window = max(1, rows // _WINDOWS), max(1, columns // _WINDOWS)
        step = max(1, window[0] // 2), max(1, window[1] // 2)
        grey = inputs.mean(dim=(2, 3) if first else (1, 2), keepdim=True).expand_as(inputs)
        with _gradients(False):
            fall = (
                _captum()
                .Occlusion(self._scores)
                .attribute(
                    inputs,
                    sliding_window_shapes=(channels, *window) if first else (*window, channels),
                    strides=(channels, *step) if first else (*step, channels),
                    baselines=grey,
                    target=targets,
                    perturbations_per_eval=_AT_ONCE,
                )
            )
        return fall.float().mean(dim=1 if first else 3).cpu().numpy()

    def _scores(self, inputs: Tensor) -> Tensor:
        """(N, K): each class's logit, for occlusion its lead over the best other, of classes that
        exclude one another; ± the logit of a single unit."""
        logits = self._run(inputs)[1]
        if logits.shape[1] == 1:
            return torch.cat([-logits, logits], dim=1)
        several_labels = "thresholds" in (getattr(self._original, "image_info", None) or {})
        if self._method == "occlusion" and not several_labels:  # a class's logit may fall with all the others
            best = logits.topk(2, dim=1).values
            return logits - torch.where(logits == best[:, :1], best[:, 1:], best[:, :1])
        return logits

    def _run(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(N, K) outputs and logits, float32."""
        if self._tap is not None:
            self._tap.restart()
        outputs = self._model(inputs, training=False)
        if not isinstance(outputs, Tensor) or outputs.ndim != 2:
            shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise InputError(f"The model gives outputs of shape {shape}. Expected (batch, classes).")
        logits = getattr(outputs, "_keras_logits", None)
        if logits is None and not gives_logits(self._original):
            logits = outputs.float().clamp_min(_TINY).log()
            if outputs.shape[1] == 1:
                logits = logits - (1 - outputs.float()).clamp_min(_TINY).log()
        return outputs.float(), outputs.float() if logits is None else logits.float()

    def _probabilities(self, outputs: Tensor) -> NDArray[np.float32]:
        return as_probabilities(outputs.detach().cpu().numpy(), self._original)

    def _as_tensor(self, images: Any) -> Tensor:
        if isinstance(images, Tensor):
            tensor = images.detach()
        else:
            tensor = torch.from_numpy(np.array(images, dtype=np.float32))
        if tensor.ndim != 4:
            raise InputError(f"Expected images (batch, height, width, channels); received shape {tuple(tensor.shape)}.")
        anchor = next(self._original.parameters(), tensor)
        with torch.inference_mode(False):  # a tensor of inference mode cannot be kept for a gradient
            return tensor.to(anchor.device, torch.float32, copy=True)


def heat_maps(
    model: Any,
    images: Any,
    classes: Sequence[int] | int | None = None,
    *,
    method: str | None = None,
    layer: str | None = None,
) -> NDArray[np.float32]:
    """Show which parts of pictures speak for a class.

    Args:
        model: a built classifier of images; it stays as it is.
        images: (batch, height, width, channels), scaled as the model is fed.
        classes: the class of each picture, or one of all; None for the one that the model answers.
        method: "layercam", "gradcam", "hirescam" or "occlusion"; None for LayerCAM, or for occlusion where no layer has
            a map that the answer is read from.
        layer: whose maps are taken: a layer's name, or its path in nested models ("backbone/top_conv"); None for
            the last one that has maps (LayerCAM: fine ones) and that the whole answer is read from.

    Returns:
        (batch, height, width) float32 of 0..1: 1 where a picture speaks for the class most, 0 where it speaks against
        it or not at all.

    Raises:
        InputError: an unknown method or layer, a model without maps for the method, or arrays of another shape.
        UnsupportedError: captum is not installed.
    """
    classes = [classes] * len(images) if isinstance(classes, int) else classes
    return scaled(HeatMapper(model, method=method, layer=layer).maps(images, classes))


def scaled(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """What speaks for the class, as 0..1 of the largest in each map.

    Args:
        maps: (..., height, width), below 0 where a place speaks against it.
    """
    positive = np.maximum(maps, 0)
    return positive / np.maximum(positive.max(axis=(-2, -1), keepdims=True), np.float32(_TINY))


def _channels_first(inputs: Tensor) -> bool:
    return inputs.shape[3] not in CHANNELS.values() and inputs.shape[1] in CHANNELS.values()


@contextmanager
def _gradients(enabled: bool) -> Iterator[None]:
    """With or without gradients, whatever encloses the block: a server's inference mode too."""
    with torch.inference_mode(False), torch.set_grad_enabled(enabled):
        yield


def _captum() -> Any:
    try:
        import captum.attr
    except ModuleNotFoundError as missing:
        raise UnsupportedError(
            f"Heat maps need captum, which is not here ({missing}): pip install 'scene-lightning[explain]'"
        ) from missing
    return captum.attr
