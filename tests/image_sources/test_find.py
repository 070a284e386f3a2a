"""What `predict` takes for images: archives, addresses, lists, standard input; and what it refuses."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import io
import os
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.data.decode import DecodeSpec, decode_image
from scene_lightning.data.members import read_image_bytes
from scene_lightning.data.walk import LeftOut
from scene_lightning.errors import DataError, InputError
from scene_lightning.image_sources import archives, stored, urls
from scene_lightning.image_sources.find import find_images
from tests.conftest import picture

SPEC = DecodeSpec((8, 8))


def jpeg(seed: int = 0) -> bytes:
    memory = io.BytesIO()
    Image.fromarray(picture(24, 30, seed)).save(memory, "JPEG")
    return memory.getvalue()


def standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def tar_of(path: Path, files: dict[str, bytes], mode: str) -> str:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return str(path)


def zip_of(path: Path, files: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return str(path)


FILES = {"b/2.jpg": jpeg(2), "./a/1.jpg": jpeg(1), "notes.txt": b"x", "__MACOSX/._1.jpg": b"x", ".hidden/3.jpg": b"x"}


@pytest.mark.parametrize("ending", archives.ENDINGS)
def test_the_images_of_an_archive(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"photos{ending}"
    if ending == ".zip":
        zip_of(path, FILES)
    else:
        tar_of(path, FILES, "w" if ending == ".tar" else "w:gz")
    left_out = LeftOut()
    images = find_images([str(path)], left_out=left_out)
    assert images == [f"{path}/a/1.jpg", f"{path}/b/2.jpg"]
    assert [read_image_bytes(image) for image in images] == [jpeg(1), jpeg(2)]
    assert decode_image(images[0], SPEC).shape == (8, 8, 3)
    assert left_out.counts.total() == 3, "what is no image is said"
    assert os.listdir(tmp_path) == [path.name], "nothing is unpacked"


def test_names_that_lead_elsewhere_stay_names(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"../../up.jpg": jpeg(), "/abs.jpg": jpeg(1)})
    images = find_images([path])
    assert images == [f"{path}/../../up.jpg", f"{path}/abs.jpg"] and read_image_bytes(images[0]) == jpeg()


def test_a_file_of_a_tar_as_long_as_its_blocks(tmp_path: Path) -> None:
    """Of 512 bytes, after which `tarfile` looks one byte back."""
    even = jpeg() + bytes(-len(jpeg()) % 512)
    path = tar_of(tmp_path / "a.tgz", {"1.jpg": even, "2.jpg": jpeg(2)}, "w:gz")
    assert [read_image_bytes(image) for image in find_images([path])] == [even, jpeg(2)]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
@pytest.mark.parametrize("kind", ["garbage", "cut short", "empty", "without images"])
def test_an_archive_that_is_none_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    files = {"notes.txt": b"x"} if kind == "without images" else {f"{number}.jpg": jpeg(number) for number in range(9)}
    if name == "a.zip":
        zip_of(path, files)
    else:
        tar_of(path, files, "w:gz" if name == "a.tgz" else "w")
    if kind == "cut short":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind in ("garbage", "empty"):
        path.write_bytes(b"no archive at all" * 99 if kind == "garbage" else b"")
    with pytest.raises(InputError, match=r"No images in|is no (zip|tar) file, or damaged"):
        find_images([str(path)])


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that unpacks to far more than it is; an image that claims to be longer than it may."""
    monkeypatch.setattr(archives, "_BOMB_BYTES", 2**20)
    nothing = bytes(2**21)
    for path in (
        zip_of(tmp_path / "a.zip", {"1.bmp": nothing}), tar_of(tmp_path / "a.tgz", {"1.bmp": nothing}, "w:gz"),
        tar_of(tmp_path / "b.tgz", {"notes.txt": nothing, "1.jpg": jpeg()}, "w:gz"),
    ):  # fmt: skip
        with pytest.raises(InputError, match="unpacks to"):
            find_images([path])
    monkeypatch.undo()
    monkeypatch.setattr(archives, "LARGEST_IMAGE", 2**20)
    for path in (zip_of(tmp_path / "c.zip", {"1.bmp": nothing}), tar_of(tmp_path / "c.tar", {"1.bmp": nothing}, "w")):
        with pytest.raises(DataError, match="it has 2,097,152 bytes"):
            decode_image(find_images([path])[0], SPEC)
    monkeypatch.setattr(archives, "_MOST_FILES", 3)
    with pytest.raises(InputError, match="more than 3 files"):
        find_images([zip_of(tmp_path / "d.zip", {f"{number}.jpg": b"" for number in range(5)})])


def test_a_header_as_long_as_it_claims_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_IMAGE", 2**20)
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**33
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(2**21)))
    with pytest.raises(InputError, match="damaged"):
        find_images([str(path)])


def test_an_encrypted_or_damaged_entry_is_an_image_that_cannot_be_read(tmp_path: Path) -> None:
    path = Path(zip_of(tmp_path / "a.zip", {"1.jpg": jpeg()}))
    content = bytearray(path.read_bytes())
    content[60] ^= 255  # of the deflated bytes
    path.write_bytes(content)
    with pytest.raises(DataError, match="it is damaged in its archive"):
        decode_image(find_images([str(path)])[0], SPEC)
    zip_of(path, {"1.jpg": jpeg()})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag, at the entry and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        decode_image(find_images([str(path)])[0], SPEC)


def test_a_program_for_ghostscript_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = io.BytesIO()
    Image.fromarray(picture(24, 30, 0)).save(memory, "EPS")
    path = zip_of(tmp_path / "a.zip", {"1.jpg": memory.getvalue()})
    standard_input(monkeypatch, memory.getvalue())
    for image in find_images([path, "-"]):
        with pytest.raises(DataError, match="it is EPS, which is read from files of your own alone"):
            decode_image(image, SPEC)


# -- lists and standard input ------------------------------------------------------------------------------------------


def test_an_image_on_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    standard_input(monkeypatch, jpeg(3))
    (image,) = find_images(["-"])
    assert image == "-" and read_image_bytes(image) == jpeg(3)
    standard_input(monkeypatch, b"")
    with pytest.raises(InputError, match="standard input is empty"):
        find_images(["-"])
    with pytest.raises(InputError, match="given twice"):
        find_images(["-"], files_from="-")
    monkeypatch.setattr(stored, "LARGEST_IMAGE", 10)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with pytest.raises(InputError, match="which is a terminal"):
        find_images(["-"])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_a_list_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("plain.jpg", "a[1].jpg", "grün und weiß.jpg"):
        Path(name).write_bytes(jpeg())
    Path("folder").mkdir()
    Path("folder/in.jpg").write_bytes(jpeg())
    zip_of(Path("a.zip"), {"z.jpg": jpeg()})
    names = ["a[1].jpg", "grün und weiß.jpg", "gone.jpg", "folder", "a.zip", "plain.jpg", "plain.jpg"]
    content = b"".join(name.encode() + end for name in names)
    expected = ["a[1].jpg", "grün und weiß.jpg", "gone.jpg", "folder/in.jpg", "a.zip/z.jpg", "plain.jpg"]
    Path("list").write_bytes(content)
    assert find_images([], files_from="list") == expected
    standard_input(monkeypatch, content.removesuffix(end))
    assert find_images(["plain.jpg"], files_from="-") == ["plain.jpg", *expected[:-1]]


def test_a_name_with_a_newline_in_a_list_of_nuls(tmp_path: Path) -> None:
    odd = tmp_path / "two\nlines.jpg"
    odd.write_bytes(jpeg())
    (tmp_path / "list").write_bytes(os.fsencode(odd) + b"\0")
    assert find_images([], files_from=str(tmp_path / "list")) == [str(odd)]


def test_lists_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"\n\n")
    with pytest.raises(InputError, match="names no image"):
        find_images([], files_from=str(tmp_path / "empty"))
    with pytest.raises(InputError, match="no such file"):
        find_images([], files_from=str(tmp_path / "none"))
    with pytest.raises(InputError, match="no images were named"):
        find_images([])


# -- addresses ---------------------------------------------------------------------------------------------------------


class _Answers(http.server.BaseHTTPRequestHandler):
    """A server with one of everything that goes wrong."""

    def do_GET(self) -> None:
        getattr(self, "answer_" + self.path.partition("?")[0].strip("/").replace("/", "_"), self.answer_missing)()

    def answer_missing(self) -> None:
        self.send_error(404)

    def _send(self, content: bytes, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def answer_photo(self) -> None:
        self._send(jpeg(7))

    def answer_text(self) -> None:
        self._send(b"<html>no image</html>")

    def answer_short(self) -> None:
        self._send(jpeg(7)[:100], len(jpeg(7)))

    def answer_huge(self) -> None:
        self._send(b"x", 2**40)

    def answer_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(bytes(2**16))

    def answer_slow(self) -> None:
        self.send_response(200)
        self.end_headers()
        time.sleep(1.5)

    def answer_drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)

    def _lead(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.end_headers()

    def answer_moved(self) -> None:
        self._lead("/photo")

    def answer_loop(self) -> None:
        count = int(self.path.partition("?")[2] or 0)
        self._lead(f"/loop?{count + 1}")

    def answer_file(self) -> None:
        self._lead("file:///etc/passwd")

    def answer_ftp(self) -> None:
        self._lead("ftp://127.0.0.1/photo.jpg")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.mark.parametrize("path", ["photo", "moved", "photo?a=ü b"])
def test_an_address_is_an_image(server: str, path: str) -> None:
    (image,) = find_images([f"{server}/{path}"])
    assert image == f"{server}/{path}"
    np.testing.assert_array_equal(decode_image(image, SPEC), decode_image(io.BytesIO(jpeg(7)), SPEC))  # type: ignore[arg-type]
    assert read_image_bytes(image) == jpeg(7)


@pytest.mark.parametrize(("path", "reason"), [
    ("none.jpg", "the server says 404 Not Found"), ("text", "it is not an image"),
    ("short", "the connection ended after 100 of"), ("huge", "1,099,511,627,776 bytes or more"),
    ("endless", "bytes or more"), ("slow", "no answer within"), ("drip", "it takes longer than"),
    ("loop", "leads on too often"), ("file", "leads on"), ("ftp", "cannot be reached"),
])  # fmt: skip
def test_an_address_that_cannot_be_read_says_why_in_one_line(
    server: str, monkeypatch: pytest.MonkeyPatch, path: str, reason: str
) -> None:
    monkeypatch.setattr(urls, "LARGEST_IMAGE", 2**20)
    monkeypatch.setattr(urls, "_SECONDS_OF_SILENCE", 0.5)
    monkeypatch.setattr(urls, "_SECONDS_IN_ALL", 1.0)
    (image,) = find_images([f"{server}/{path}"])
    started = time.monotonic()
    with pytest.raises(DataError, match=reason) as raised:
        decode_image(image, SPEC)
    assert "\n" not in str(raised.value) and time.monotonic() - started < 5


def test_an_address_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        raise OSError("gone")

    monkeypatch.setattr(urls, "fetch", fetch)
    (image,) = find_images(["http://localhost/x.jpg"])
    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            read_image_bytes(image)
    assert len(asked) == 1


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a.jpg", "gopher://x"])
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="http:// or https://"):
        find_images([url])


@pytest.mark.parametrize("url", ["http://", "http://[x/", "http://127.0.0.1:notaport/", "http://127.0.0.1:1/a.jpg"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(OSError, match=r"valid address|cannot be reached"):
        read_image_bytes(find_images([url])[0])
