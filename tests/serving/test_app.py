"""The endpoint: the same answers as `predict`, clear refusals, no trace of an upload, nothing for pages of others."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.serving import decoding
from scene_lightning.serving.clients import Room, Turns
from scene_lightning.serving.limits import Limits, RefusedError
from scene_lightning.serving.torch_model import TorchModel
from tests.serving.conftest import CLASSES, Served
from tests.serving.uploads import odd_photographs, photograph, png_of


@pytest.fixture(scope="module")
def predicted(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """What `predict` says of `odd_photographs`, by name."""
    folder = tmp_path_factory.mktemp("odd")
    for name, content in odd_photographs().items():
        (folder / name).write_bytes(content)
    assert (
        cli.run(["predict", str(model_file), str(folder), "--out", str(folder / "a.csv"), "--accelerator", "cpu"]) == 0
    )
    with (folder / "a.csv").open(encoding="utf-8") as file:
        return {Path(row["path"]).name: [float(row[name]) for name in CLASSES] for row in csv.DictReader(file)}


def rows(response: httpx.Response) -> dict[str, list[float]]:
    assert response.status_code == 200, response.text
    return {one["file"]: list(one["probabilities"].values()) for one in response.json()["results"]}


def test_photographs_are_answered_as_predict_answers_them(server: Served, predicted: dict[str, list[float]]) -> None:
    together = rows(server.http.post("/predict", files=[("files", item) for item in odd_photographs().items()]))
    assert list(together) == list(odd_photographs())
    for name, content in odd_photographs().items():
        alone = rows(server.predict(content, name))[name]
        raw = server.http.post("/predict", content=content, headers={"content-type": "image/jpeg"})
        for answer in (together[name], alone, rows(raw)[""]):
            np.testing.assert_allclose(answer, predicted[name], atol=2e-6, err_msg=name)
    assert len({tuple(np.round(row, 4)) for row in together.values()}) > 3, "answers differ between photographs"
    result = server.predict(photograph()).json()["results"][0]
    assert result["predicted"] == max(result["probabilities"], key=result["probabilities"].get)
    assert list(result["probabilities"]) == list(CLASSES)
    assert result["probability"] == max(result["probabilities"].values())


_WEB_PAGE = b"<!doctype html><title>404</title>" * 10
_EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(ran) run\n%%EOF\n"
_SCANS = photograph(kind="JPEG", progressive=True)[:-2] + b"\xff\xda\0\x02" * 500 + b"\xff\xd9"
BAD = {
    "empty": (b"", 400, "An empty file"),
    "a web page": (_WEB_PAGE, 415, "A text, such as a web page"),
    "noise": (bytes(range(256)) * 9, 415, "No image"),
    "truncated": (photograph(size=(200, 200))[:2000], 400, "truncated"),
    "a bomb": (png_of(40_000, 40_000), 413, "pixels"),
    "many pixels": (png_of(9_000, 9_000), 413, "9,000 × 9,000 pixels"),
    "pixels that are not there": (png_of(3_000, 3_000), 400, "damaged or incomplete"),
    "a program for Ghostscript": (_EPS, 415, "EPS"),
    "scans without end": (_SCANS, 413, "scans"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_photograph_is_refused_clearly(case: str, server: Served) -> None:
    content, status, what = BAD[case]
    response = server.predict(content)
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"expected", "received", "cure"} and all(error.values())
    assert what in error["received"] and "BytesIO" not in response.text and "Traceback" not in response.text


def test_a_bad_photograph_among_good_ones_has_its_own_error(server: Served) -> None:
    files = [("files", ("a.jpg", photograph(1))), ("files", ("b.jpg", b"nothing")), ("files", ("c.jpg", photograph(2)))]
    results = server.http.post("/predict", files=files).json()["results"]
    assert [one["file"] for one in results] == ["a.jpg", "b.jpg", "c.jpg"]
    assert ["error" in one for one in results] == [False, True, False]
    assert "predicted" not in results[1] and results[0]["predicted"] in CLASSES


def test_heic_without_its_reader_names_the_cure(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(decoding, "_prepared", [True])  # this process keeps its memory
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    with pytest.raises(RefusedError) as caught:
        decoding.decode(odd_photographs()["phone.heic"], server.app.state.service.model.info.spec, 10**7, None)
    assert caught.value.status == 415 and "scene-lightning[heif]" in caught.value.cure


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"content": b"{}", "headers": {"content-type": "application/json"}}, 415),
        ({"data": {"files": "photo.jpg"}}, 415),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
        ({"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400),
        ({"content": photograph(), "headers": {"content-type": "image/jpeg", "content-encoding": "gzip"}}, 415),
        ({"content": b""}, 400),
        ({"files": {f"file{number}": b"x" for number in range(40)}}, 413),
        ({"content": bytes(33_000_000), "headers": {"content-type": "image/jpeg"}}, 413),
        ({"content": (bytes(10**6) for _ in range(33)), "headers": {"content-type": "image/jpeg"}}, 413),
    ],
    ids=["JSON", "a form without files", "no boundary", "a broken form", "compressed", "nothing", "too many",
         "too large", "too large and does not say so"],
)  # fmt: skip
def test_a_request_of_another_form_is_refused_clearly(request_: dict[str, Any], status: int, server: Served) -> None:
    response = server.http.post("/predict", **request_)
    assert response.status_code == status
    assert all(response.json()["error"][word] for word in ("expected", "received", "cure"))
    assert server.predict(photograph()).status_code == 200


def test_other_paths_and_methods(server: Served) -> None:
    assert server.http.get("/elsewhere").status_code == 404
    assert server.http.get("/docs").status_code == 404, "their page loads scripts from elsewhere"
    response = server.http.get("/predict")
    assert response.status_code == 405 and response.headers["allow"] == "POST"
    assert "POST /predict" in response.json()["error"]["expected"]


def test_no_upload_is_kept(
    started: Callable[..., Served], model: TorchModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a temporary file")

    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # of the decoders, which this server starts
    served = started(model)
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    content = (tmp_path / "noise.png").read_bytes()
    (tmp_path / "noise.png").unlink()
    assert len(content) > 5_000_000
    assert served.predict(content).status_code == 200
    assert served.http.post("/predict", content=content, headers={"content-type": "image/png"}).status_code == 200
    assert list(tmp_path.iterdir()) == []
    assert served.app.state.service.uploads.room.taken == 0


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", ""]
)
def test_a_name_that_points_here_is_not_answered(host: str, server: Served) -> None:
    """DNS rebinding: a page of evil.example, whose name now leads to 127.0.0.1."""
    for method, path in (("GET", "/"), ("GET", "/health"), ("POST", "/predict")):
        response = server.http.request(method, path, headers={"host": host})
        assert response.status_code == 400 and "classes" not in response.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "[::1]:8000", "192.168.1.7:8000"])
def test_names_of_this_machine_are_answered(host: str, server: Served) -> None:
    assert server.http.get("/health", headers={"host": host}).status_code == 200


def test_a_name_of_ones_own_is_answered(started: Callable[..., Served], model: TorchModel) -> None:
    served = started(model, hosts=["photos.example"])
    assert served.http.get("/health", headers={"host": "photos.example:80"}).status_code == 200
    assert served.http.get("/health", headers={"host": "other.example"}).status_code == 400


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_pages_of_others_cannot_ask(origin: str, server: Served) -> None:
    response = server.http.post("/predict", files={"files": photograph()}, headers={"origin": origin})
    assert response.status_code == 403
    preflight = server.http.options("/predict", headers={"origin": origin, "access-control-request-method": "POST"})
    assert preflight.status_code == 405
    for answer in (response, preflight, server.http.get("/health", headers={"origin": origin})):
        assert not [name for name in answer.headers if name.startswith("access-control")]
    own = server.url.rstrip("/")
    assert server.http.post("/predict", files={"files": photograph()}, headers={"origin": own}).status_code == 200


def test_every_answer_has_the_security_headers(server: Served) -> None:
    for answer in (server.http.get("/"), server.http.get("/health"), server.http.get("/no"), server.predict(b"")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"] and "server" not in answer.headers
    page = server.http.get("/").text
    assert "&lt;b&gt;town&lt;/b&gt; &amp; street" in page and "<b>town" not in page and "{{" not in page


def test_openapi_describes_the_endpoint(server: Served) -> None:
    schema = server.http.get("/openapi.json").json()
    assert set(schema["paths"]) == {"/", "/predict", "/health", "/metrics"}
    post = schema["paths"]["/predict"]["post"]
    form = post["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["files"] == {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "minItems": 1,
    }
    assert {"image/*", "application/octet-stream"} < set(post["requestBody"]["content"])
    assert {"200", "400", "403", "408", "413", "415", "503"} <= set(post["responses"])
    assert "422" not in json.dumps(schema["paths"])


def test_metrics_count(server: Served) -> None:
    def value(text: str, name: str) -> float:
        return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name + " ")), 0.0)

    names = {
        'scene_lightning_requests_total{path="/predict",status="200"}': 1,
        'scene_lightning_requests_total{path="/predict",status="415"}': 1,
        'scene_lightning_images_total{outcome="answered"}': 2,
        'scene_lightning_images_total{outcome="refused"}': 2,
        'scene_lightning_request_seconds_count{path="/predict"}': 2,
        "scene_lightning_batch_images_sum": 2,
    }
    before = server.http.get("/metrics")
    assert before.headers["content-type"].startswith("text/plain; version=0.0.4")
    files = [("files", ("a.jpg", photograph(1))), ("files", ("b.jpg", b"no")), ("files", ("c.jpg", photograph(2)))]
    server.http.post("/predict", files=files)
    server.predict(b"no")
    after = server.http.get("/metrics").text
    assert {name: value(after, name) - value(before.text, name) for name in names} == names
    assert "scene_lightning_ready 1.0" in after and "process_resident_memory_bytes" in after
    server.http.get("/a/path/of/a/stranger")
    assert "stranger" not in server.http.get("/metrics").text


def test_a_fault_of_the_server_is_told_without_details(started: Callable[..., Served], model: TorchModel) -> None:
    class Failing:
        info, explain, calls = model.info, None, 0

        def answer(self, images: Any) -> Any:
            self.calls += 1
            if self.calls == 3:  # two warmed it up
                raise RuntimeError("secret path")
            return model.answer(images)

    served = started(Failing())
    response = served.predict(photograph())
    assert response.status_code == 500 and "secret" not in response.text and response.json()["error"]["cure"]
    assert served.predict(photograph()).status_code == 200, "the next request is answered"


def test_a_client_that_sends_too_much_is_told_so(started: Callable[..., Served], model: TorchModel) -> None:
    served = started(model, Limits(images_under_way=4))  # of which one client may have three
    files = [("files", (f"{number}.jpg", photograph(number))) for number in range(4)]
    response = served.http.post("/predict", files=files)
    assert response.status_code == 429 and response.headers["retry-after"] == "1"
    assert "of yours" in response.json()["error"]["received"]
    assert served.http.post("/predict", files=files[:3]).status_code == 200
    turns, latest = served.app.state.service.turns, time.monotonic() + 5
    while turns._free < 64 and time.monotonic() < latest:  # the answer may be here before the last is given back
        time.sleep(0.01)
    assert turns._free == 64, "all turns are given back"


def test_a_server_with_too_much_to_do_says_so() -> None:
    room = Room("photographs", 4, 0.75)
    room.take("a", 3)
    for client, amount, status in (("a", 1, 429), ("b", 2, 503), ("b", 4, 429)):
        with pytest.raises(RefusedError) as refused:
            room.take(client, amount)
        assert refused.value.status == status
    room.take("b", 1)
    room.leave("a", 3)
    room.take("b", 2)
    assert room.taken == 3


def test_clients_have_their_turns_in_turn() -> None:
    async def main() -> list[str]:
        turns, order = Turns(1), list[str]()

        async def work(client: str, number: int) -> None:
            await turns.take(client)
            order.append(f"{client}{number}")
            await asyncio.sleep(0)
            turns.give_back()

        tasks = [asyncio.create_task(work("a", number)) for number in range(4)]
        await asyncio.sleep(0)  # a0 has its turn, the others wait
        tasks += [asyncio.create_task(work(client, 0)) for client in "bc"]
        tasks[2].cancel()  # its request gives up
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait_for(turns.take("d"), 1)  # none is lost
        return order

    assert asyncio.run(main()) == ["a0", "a1", "b0", "c0", "a3"]
