"""`python -m scene_lightning.runtime MODEL.onnx PHOTO…`: names the classes of photographs, without torch."""

from __future__ import annotations

import argparse
import sys

from scene_lightning.errors import SceneLightningError
from scene_lightning.runtime.predict import predict


def main(arguments: list[str]) -> int:
    """Run the command.

    Args:
        arguments: the words after the program's name.

    Returns:
        The exit status: 0 done, 2 bad input, 3 done but for images that could not be read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m scene_lightning.runtime", description="Classify images with an exported model, without torch."
    )
    parser.add_argument("model", help="an .onnx file that `scene-lightning export` wrote")
    parser.add_argument("paths", nargs="+", metavar="path", help="images, folders of images, or globs in quotes")
    parser.add_argument("--out", metavar="FILE", help="write to FILE.csv, .json or .jsonl; default: a table")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    parser.add_argument("--top-k", type=int, default=1, metavar="K", help="show the K likeliest classes of each image")
    parser.add_argument("--batch-size", type=int, metavar="N", help="images per batch; default: 32")
    parser.add_argument("--strict", action="store_true", help="stop at an unreadable image instead of skipping it")
    given = parser.parse_args(arguments)
    try:
        unreadable = predict(
            given.model, given.paths, out=given.out, as_json=given.json, top_k=given.top_k,
            batch_size=given.batch_size, strict=given.strict,
        )  # fmt: skip
    except (SceneLightningError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 3 if unreadable else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
