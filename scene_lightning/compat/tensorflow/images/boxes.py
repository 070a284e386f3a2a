"""`tf.image`: boxes (y1, x1, y2, x2) in images: drawing, cropping, sampling, non-maximum suppression."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torchvision

from scene_lightning.compat.tensorflow.images.arguments import pair, require
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation


@operation
def crop_and_resize(
    image: Any, boxes: Any, box_indices: Any, crop_size: Any, method: str = "bilinear",
    extrapolation_value: float = 0.0, name: Any = None,
) -> Any:  # fmt: skip
    """Cuts boxes out of a batch of images and brings them all to one size.

    What lies outside the image is `extrapolation_value`; a box whose ends are exchanged is mirrored.

    Args:
        image: (batch, height, width, channels).
        boxes: (boxes, 4) as (y1, x1, y2, x2), in 0..1 of the sides less one pixel.
        box_indices: (boxes,) the number of each box's image in the batch.
        crop_size: (height, width) in pixels.
        method: "bilinear" or "nearest".
        extrapolation_value: what pixels outside the image are.
        name: for TensorFlow's sake, without effect.
    """
    require(method in ("bilinear", "nearest"), f'method is "bilinear" or "nearest"; received {method!r}.')
    pictures, places = as_tensor(image).float(), as_tensor(boxes).float()
    height, width = pair(crop_size, "crop_size")
    require(
        places.ndim == 2 and places.shape[-1] == 4, f"boxes must be [num_boxes, 4]; received {tuple(places.shape)}."
    )
    parts = []
    for box, index in zip(places, as_tensor(box_indices).tolist(), strict=True):
        rows = _places(float(box[0]), float(box[2]), height, pictures.shape[1]).to(pictures.device)
        columns = _places(float(box[1]), float(box[3]), width, pictures.shape[2]).to(pictures.device)
        parts.append(_sampled(pictures[index], rows, columns, method, float(extrapolation_value)))
    return torch.stack(parts) if parts else pictures.new_zeros(0, height, width, pictures.shape[-1])


def _places(first: float, last: float, count: int, side: int) -> torch.Tensor:
    """Where the pixels of a crop lie, in pixels of the image."""
    if count == 1:
        return torch.tensor([0.5 * (first + last) * (side - 1)])
    return first * (side - 1) + torch.arange(count) * ((last - first) * (side - 1) / (count - 1))


def _sampled(
    picture: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, method: str, outside: float
) -> torch.Tensor:
    height, width = picture.shape[:2]
    if method == "nearest":  # halves away from zero, as C rounds
        near = [torch.floor(axis + 0.5).long() for axis in (rows, columns)]
        made = picture[near[0].clamp(0, height - 1)][:, near[1].clamp(0, width - 1)]
    else:
        top, left = rows.floor().long().clamp(0, height - 1), columns.floor().long().clamp(0, width - 1)
        bottom, right = rows.ceil().long().clamp(0, height - 1), columns.ceil().long().clamp(0, width - 1)
        down, across = (rows - rows.floor())[:, None, None], (columns - columns.floor())[None, :, None]
        upper = picture[top][:, left] + (picture[top][:, right] - picture[top][:, left]) * across
        lower = picture[bottom][:, left] + (picture[bottom][:, right] - picture[bottom][:, left]) * across
        made = upper + (lower - upper) * down
    inside = ((rows >= 0) & (rows <= height - 1))[:, None] & ((columns >= 0) & (columns <= width - 1))[None]
    return torch.where(inside[..., None], made, outside)


def non_max_suppression(
    boxes: Any, scores: Any, max_output_size: Any, iou_threshold: Any = 0.5, score_threshold: Any = float("-inf"),
    name: Any = None,
) -> torch.Tensor:  # fmt: skip
    """Gives the indices of the boxes with the highest scores, without those that overlap a better one too much.

    Args:
        boxes: (boxes, 4) as (y1, x1, y2, x2).
        scores: (boxes,).
        max_output_size: how many indices at most.
        iou_threshold: intersection over union in 0..1 above which the worse box goes.
        score_threshold: boxes that score no more than this are left out.
        name: for TensorFlow's sake, without effect.
    """
    corners, marks = as_tensor(boxes).float(), as_tensor(scores).float()
    require(0 <= float(iou_threshold) <= 1, f"iou_threshold must be in [0, 1]; received {iou_threshold}.")
    low, high = torch.minimum(corners[:, :2], corners[:, 2:]), torch.maximum(corners[:, :2], corners[:, 2:])
    candidates = torch.nonzero(marks > float(score_threshold)).flatten()
    kept = torchvision.ops.nms(torch.cat([low, high], 1)[candidates], marks[candidates], float(iou_threshold))
    return candidates[kept][: int(max_output_size)].int()


_COLOURS = (
    (1, 1, 0, 1), (0, 0, 1, 1), (1, 0, 0, 1), (0, 1, 0, 1), (0.5, 0, 0.5, 1), (0.5, 0.5, 0, 1), (0.5, 0, 0, 1),
    (0, 0, 0.5, 1), (0, 1, 1, 1), (1, 0, 1, 1),
)  # fmt: skip


def draw_bounding_boxes(images: Any, boxes: Any, colors: Any = None, name: Any = None) -> torch.Tensor:
    """Draws the outlines of boxes, one pixel wide, on a copy of images.

    Args:
        images: floats (batch, height, width, channels).
        boxes: (batch, boxes, 4) as (y1, x1, y2, x2), in 0..1 of the sides.
        colors: (colours, channels), taken in turn; None for ten colours of TensorFlow's, white on grey images.
        name: for TensorFlow's sake, without effect.
    """
    made, places = as_tensor(images).clone(), as_tensor(boxes).float()
    require(made.ndim == 4 and places.ndim == 3, "Expected images (N, H, W, C) and boxes (N, number, 4).")
    height, width, depth = made.shape[1:]
    table = torch.tensor(_COLOURS) if colors is None or not len(colors) else as_tensor(colors).float()
    if depth == 1 and colors is None:
        table = torch.ones(1, 1)
    for picture, several in zip(made, places, strict=True):
        for number, box in enumerate(several.tolist()):
            top, bottom = int(box[0] * (height - 1)), int(box[2] * (height - 1))
            left, right = int(box[1] * (width - 1)), int(box[3] * (width - 1))
            if top > bottom or left > right or top >= height or bottom < 0 or left >= width or right < 0:
                continue
            colour = table[number % len(table), :depth].to(made.dtype)
            rows, columns = slice(max(top, 0), bottom + 1), slice(max(left, 0), right + 1)
            for row in (row for row in (top, bottom) if 0 <= row < height):
                picture[row, columns] = colour
            for column in (column for column in (left, right) if 0 <= column < width):
                picture[rows, column] = colour
    return made


def sample_distorted_bounding_box(
    image_size: Any, bounding_boxes: Any, seed: Any = 0, min_object_covered: float = 0.1,
    aspect_ratio_range: Any = None, area_range: Any = None, max_attempts: Any = None,
    use_image_if_no_bounding_boxes: Any = None, name: Any = None, seed2: Any = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Draws a random part of an image: (begin (3,), size (3,), box (1, 1, 4)), for `tf.slice(image, begin, size)`.

    Args:
        bounding_boxes: (N, boxes, 4) in 0..1; one of them must be covered by `min_object_covered` of its area.
        aspect_ratio_range: width / height of the part; (0.75, 1.33) by default.
        area_range: its share of the image; (0.05, 1) by default.
        max_attempts: 100 by default; then the whole image.
        image_size: (height, width, channels) in pixels.
        min_object_covered: share of a box's area, 0..1.
        use_image_if_no_bounding_boxes: whether the whole image counts as the box where there is none.
        seed, name, seed2: for TensorFlow's sake, without effect.
    """
    height, width = (int(side) for side in as_tensor(image_size).flatten()[:2])
    given = as_tensor(bounding_boxes).float().reshape(-1, 4)
    has_object = len(given) > 0 or bool(use_image_if_no_bounding_boxes)
    require(has_object, "Expected bounding_boxes, or use_image_if_no_bounding_boxes=True.")
    objects = (given if len(given) else torch.tensor([[0.0, 0.0, 1.0, 1.0]])).numpy() * [height, width, height, width]
    thin, wide = (0.75, 1.33) if aspect_ratio_range is None else map(float, aspect_ratio_range)
    least, most = (0.05, 1.0) if area_range is None else map(float, area_range)
    for _ in range(100 if max_attempts is None else int(max_attempts)):
        draws = torch.rand(4).tolist()
        ratio, area = thin + draws[0] * (wide - thin), (least + draws[1] * (most - least)) * height * width
        rows, columns = round((area / ratio) ** 0.5), round((area * ratio) ** 0.5)
        if not (0 < rows <= height and 0 < columns <= width):
            continue
        top, left = int(draws[2] * (height - rows + 1)), int(draws[3] * (width - columns + 1))
        if any(_covered(box, top, left, rows, columns) >= min_object_covered for box in objects):
            break
    else:
        top, left, rows, columns = 0, 0, height, width
    box = torch.tensor([[[top / height, left / width, (top + rows) / height, (left + columns) / width]]])
    return torch.tensor([top, left, 0], dtype=torch.int32), torch.tensor([rows, columns, -1], dtype=torch.int32), box


def _covered(box: np.ndarray, top: int, left: int, rows: int, columns: int) -> float:
    down = max(min(box[2], top + rows) - max(box[0], top), 0)
    across = max(min(box[3], left + columns) - max(box[1], left), 0)
    size = (box[2] - box[0]) * (box[3] - box[1])
    return down * across / size if size > 0 else 0.0
