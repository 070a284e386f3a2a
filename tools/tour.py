"""Makes the pictures of docs/tour.md: runs the commands that the page shows, in their order, and keeps what they made.

    python -m tools.tour

In the page each picture stands below its commands and a comment that says what it is of:
`<!-- picture: NAME.jpg of FILE -->` for a picture that the commands wrote,
`<!-- picture: NAME.jpg of FILE.html 1200x900 -->` for a page, as a browser shows it in a window of that size.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tour.md"
PICTURES = ROOT / "docs" / "tour"
WIDEST, QUALITY = 1200, 78  # pixels, and JPEG's quality
_BLOCK = re.compile(r"^```(?:bash)?\n(.*?)^```$|^<!-- picture: (\S+) of (\S+?)(?: (\d+x\d+))? -->$", re.M | re.S)


def main() -> None:
    """Run the page's commands in a temporary folder, and write the pictures into docs/tour."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for commands, name, source, size in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            if name:
                keep(Path(folder), source, PICTURES / name, size)
                continue
            for command in commands_of(commands):
                print(f"$ {command}", flush=True)
                words = shlex.split(command)
                subprocess.run([sys.executable, str(ROOT / "cli.py"), *words[1:]], cwd=folder, check=True)


def commands_of(block: str) -> list[str]:
    """The commands of a code block of the page, whose long lines end in a backslash.

    Args:
        block: its text.
    """
    lines = block.replace("\\\n", " ").splitlines()
    return [" ".join(line.partition("#")[0].split()) for line in lines if line.startswith("scene-lightning ")]


def keep(folder: Path, source: str, target: Path, size: str) -> None:
    """Write a picture, or a page as a browser shows it, as a JPEG file.

    Args:
        folder: where the commands ran.
        source: of the picture or page, below `folder`.
        target: the JPEG file.
        size: WIDTHxHEIGHT of the browser's window; "" for a picture.
    """
    path = folder / source
    if size:
        browser = shutil.which("chromium") or shutil.which("google-chrome")
        if browser is None:
            raise SystemExit("error: no Chromium to show pages with: apt-get install chromium")
        shown = folder / "shown.png"
        command = [
            browser, "--headless=new", "--no-sandbox", "--hide-scrollbars", f"--screenshot={shown}",
            f"--window-size={size.replace('x', ',')}", "--virtual-time-budget=3000",
        ]  # fmt: skip
        subprocess.run([*command, path.as_uri()], check=True, capture_output=True)
        path = shown
    with Image.open(path) as picture:
        small = picture.convert("RGB")
        small.thumbnail((WIDEST, 10 * WIDEST), Image.Resampling.LANCZOS)
        small.save(target, quality=QUALITY, optimize=True)
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
