"""`predict` on standard input, an address and an archive at once, as a user starts it."""

from __future__ import annotations

import http.server
import io
import json
import threading
import zipfile
from functools import partial
from pathlib import Path

import pytest

from scene_lightning.cli import main as cli


def test_one_pass_over_images_from_everywhere(
    colour_model: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.write(photographs / "b" / "1.jpg", "inside/1.jpg")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((photographs / "a" / "0.jpg").read_bytes())))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=photographs)
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        at = f"http://127.0.0.1:{server.server_address[1]}"
        words = [
            "-",
            "a.zip",
            f"{at}/a/2.jpg",
            f"{at}/none.jpg",
            "--html",
            "page.html",
            "--sort-into",
            "sorted",
            "--json",
        ]
        assert cli.run(["predict", str(colour_model), *words]) == 3
        printed, errors = capsys.readouterr()
        answers = {row["path"]: row["predicted"] for row in json.loads(printed)}
        blue = "blue, <b>deep</b>"
        assert answers == {
            "-": "red", "a.zip/inside/1.jpg": "green", f"{at}/a/2.jpg": blue, f"{at}/none.jpg": None
        }  # fmt: skip
        assert "404" in errors
        sorted_files = {str(path.relative_to("sorted")) for path in Path("sorted").rglob("*.*") if path.is_file()}
        folder = "blue, _b_deep__b_"
        assert sorted_files == {"predictions.csv", "red/image.jpg", "green/1.jpg", f"{folder}/2.jpg"}
        assert Path("page.html").read_text().count("data:image/webp") == 3
        assert cli.run(["predict", str(colour_model), f"{at}/none.jpg"]) == 2
        server.shutdown()
    assert "404" in capsys.readouterr().err, "the one reason is said"
