"""Reads and writes what a checkpoint holds of a model as a safetensors file: no code, no optimizer.

The tensors are the model's state dict, in float32 or, at half the size, float16; the file's metadata hold the texts
of `checkpoint.model_section`, and a SHA-256 of all of it, for the format has no checksum. Format: https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from scene_lightning._atomic_write import atomic_write
from scene_lightning.errors import FileFormatError
from scene_lightning.saving._files import reading
from scene_lightning.saving.checkpoint import FORMAT, SECTION

_WHAT = "a safetensors file of a model (.safetensors)"
_CURE = "Copy or download it again, or save the model anew."
_LONGEST_HEADER = 100_000_000  # bytes, as in the format's own library
_CHECKSUM = "sha256"  # older files have none
_TEXTS = ("model_config", "compile_config", "image_info", "recipe", "images_seen")


def write_tensors(path: str | os.PathLike[str], checkpoint: Mapping[str, Any], half: bool = False) -> None:
    """Write a checkpoint's weights and section to a safetensors file; it is complete under its name, or absent.

    Args:
        path: the file.
        checkpoint: "state_dict" and this package's section.
        half: keep floating-point tensors as float16; what is beyond its range would be lost, so that is refused.

    Raises:
        FileFormatError: a weight that float16 cannot hold.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint["state_dict"].items()}
    if half:
        tensors = {name: _halved(name, tensor) for name, tensor in tensors.items()}
    section = checkpoint[SECTION]
    texts = {name: section[name] for name in _TEXTS if section[name] is not None}
    metadata = {"format": str(FORMAT), "package": SECTION, **texts}
    metadata[_CHECKSUM] = _checksum(tensors, metadata)
    with atomic_write(path) as temporary:
        # not save_file(): its files are for their owner alone, whatever the umask says
        temporary.write_bytes(save(tensors, metadata=metadata))


def _checksum(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 of the tensors, with their names, types and shapes, and of the metadata beside it."""
    texts = {name: text for name, text in metadata.items() if name != _CHECKSUM}
    digest = hashlib.sha256(json.dumps(texts, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _halved(name: str, tensor: torch.Tensor) -> torch.Tensor:
    small = tensor.half() if tensor.is_floating_point() else tensor
    if not torch.isfinite(small).all() and torch.isfinite(tensor).all():
        raise FileFormatError(f"weight {name!r} holds values that float16 cannot: save it in full precision.")
    return small


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a safetensors file that `write_tensors` wrote.

    Args:
        path: the file.

    Returns:
        A dict like a checkpoint's: "state_dict" (floats as float32) and this package's section.

    Raises:
        FileFormatError: damaged (a checksum tells), or weights without the description of a model.
    """
    with reading(path, _WHAT):
        try:
            with safe_open(os.fspath(path), framework="pt") as file:
                metadata = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        except (SafetensorError, ValueError) as error:
            raise FileFormatError(tensors_problem(path) or f"it is damaged: {error}. {_CURE}") from error
        if metadata.get("package") != SECTION:
            raise FileFormatError(
                "it holds tensors without the description of a model. Build the network in code and load them there."
            )
        if _CHECKSUM in metadata and metadata[_CHECKSUM] != _checksum(state, metadata):
            raise FileFormatError(f"it is damaged: its checksum is wrong. {_CURE}")
    section: dict[str, Any] = {name: metadata.get(name) for name in _TEXTS}
    number = metadata.get("format", "")
    section["format"] = int(number) if number.isdigit() else number
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    return {"state_dict": floats, SECTION: section}


def tensors_problem(path: str | os.PathLike[str]) -> str:
    """Say what is wrong with the layout of a safetensors file, and the cure; empty where the layout is sound.

    Args:
        path: the file.
    """
    size = Path(path).stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        header = file.read(min(length, size, _LONGEST_HEADER))
    if header[:1] != b"{":
        return f"expected the length of a header in 8 bytes and '{{'; received {start + header[:1]!r}. {_CURE}"
    if length > size - 8:
        return f"its header should have {length} bytes, and only {size - 8} are there: it is incomplete. {_CURE}"
    try:
        tensors = {name: entry for name, entry in json.loads(header).items() if name != "__metadata__"}
        needed = max((int(entry["data_offsets"][1]) for entry in tensors.values()), default=0)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return f"its header, {length} bytes of JSON that list the tensors, is damaged. {_CURE}"
    there = size - 8 - length
    if needed > there:
        return f"its tensors should have {needed} bytes, and only {there} are there: it is incomplete. {_CURE}"
    if needed < there:
        return f"{there - needed} bytes follow its last tensor, which do not belong there. {_CURE}"
    return ""
