"""The page of a run: what it says, of whole, older, interrupted and odd runs, and that it works in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.data.copies import file_digest
from tests.browser import browser, hindrances, requests_of, show_as
from tests.run_report.conftest import MakeRun


def written(run: Path, *options: str) -> str:
    assert cli.run(["report", str(run), *options]) == 0
    return (run / "report.html").read_text(encoding="utf-8")


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_the_page_holds_the_run(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run()
    page = written(run)
    assert re.search(r"report    .*report\.html \(0\.\d MB, 18 of 18 photographs\)", capsys.readouterr().out)
    data = data_of(page)
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert sum(count for *_, count in data["counts"]) == 18
    wrong = [one for one in data["photographs"] if one[2]]
    assert len(wrong) == round(18 * (1 - evaluation["accuracy"])) == len(data["surest"])
    assert [one[4] for one in wrong] == sorted((one[4] for one in wrong), reverse=True), "the surest come first"
    assert all(one[5].startswith("data:image/webp;base64,") for one in data["photographs"])
    assert data["curves"]["best"] == 4 and data["curves"]["bestLabel"] == "val_accuracy"
    assert [chart["title"] for chart in data["curves"]["charts"]] == ["Loss", "Accuracy", "Learning rate"]
    for text in ("scene-lightning train data", "812 MB", "The same image is trained on and validated on, once", "ECE"):
        assert text in page, text
    assert "default-src 'none'" in page and "{{" not in re.sub(r"data:image/[^\"]*", "", page)
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)


def test_photographs_that_have_gone_are_named(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    for file in (tmp_path / "data" / "test" / "sea").iterdir():
        file.unlink()
    page = written(run)
    assert "6 photographs could not be read any more" in page
    assert len([one for one in data_of(page)["photographs"] if not one[5]]) == 6


def test_photographs_are_found_where_the_data_have_moved(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    (tmp_path / "data").rename(tmp_path / "moved")
    assert not any(one[5] for one in data_of(written(run))["photographs"])
    assert all(one[5] for one in data_of(written(run, "--data", str(tmp_path / "moved")))["photographs"])


def test_the_budget_of_bytes_is_kept_mistakes_first(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from scene_lightning.run_report import photographs

    run = make_run(per_class=20)
    monkeypatch.setattr(photographs.draw, "__defaults__", (20_000,))
    data = data_of(written(run))
    pictures = [bool(one[5]) for one in data["photographs"]]
    assert 0 < sum(pictures) < 60 and sum(len(one[5]) for one in data["photographs"]) <= 20_000
    assert pictures == sorted(pictures, reverse=True), "the first ones have pictures: mistakes"


@pytest.mark.parametrize("lacking", ["predictions.csv", "evaluation.json", "metrics.csv", "run.json", "recipe.yaml"])
def test_a_run_that_lacks_a_file_still_has_a_page(make_run: MakeRun, lacking: str) -> None:
    run = make_run()
    (run / lacking).unlink()
    assert "<h1>" in written(run)


@pytest.mark.parametrize("name", ["predictions.csv", "evaluation.json", "metrics.csv", "run.json", "recipe.yaml"])
def test_a_damaged_file_is_told_on_the_page(make_run: MakeRun, name: str) -> None:
    run = make_run()
    (run / name).write_text('{"classes": [1], "x\0y')
    assert f"{name} could not be read" in written(run)


def test_an_interrupted_run_says_how_to_go_on(make_run: MakeRun) -> None:
    run = make_run()
    for name in ("evaluation.json", "predictions.csv"):
        (run / name).unlink()
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "stopped"}))
    page = written(run)
    assert "stopped by a signal" in page and f"train --resume {run}" in page and "no evaluation yet" in page


def test_names_cannot_break_out(make_run: MakeRun, tmp_path: Path) -> None:
    hostile = ["</script><b>x", "a\"b'c & d", "{{style}}\x1b[2J"]
    run = make_run("<i>run", hostile, per_class=3)
    page = written(run)
    assert "<b>x" not in page and "<i>run" not in page and "\x1b" not in page
    assert data_of(page)["classes"] == ["</script><b>x", "a\"b'c & d", "{{style}}\\x1b[2J"]


def test_folders_that_are_no_runs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["report", str(tmp_path)]) == 2
    assert "holds no run" in capsys.readouterr().err
    assert cli.run(["report", str(tmp_path / "nowhere")]) == 2
    assert cli.run(["report", str(tmp_path), "--out", str(tmp_path / "no" / "folder.html")]) == 2
    assert "Make it first" in capsys.readouterr().err


def test_the_page_says_what_check_found(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))
    run, sea = make_run(), tmp_path / "data" / "test" / "sea"
    (sea / ".DS_Store").touch()
    page = written(run)
    assert "Nobody has looked into these files yet" in page and "Stray, once" in page
    (sea / "broken.jpg").write_text("no image")
    Image.new("RGB", (40, 40)).save(sea / "dark.png")
    assert cli.run(["check", str(tmp_path / "data")]) == 0
    page = written(run)
    decided = f"hash,action\n{file_digest(str(sea / 'dark.png')):016x},drop\n"
    (run / "labels.csv").write_text(decided)
    assert "dark.png" not in written(run), "corrected in this run"
    (run / "labels.csv").unlink()
    assert "Nobody has looked" not in page and "test/sea/dark.png: 9" in page and "Not an image, once" in page
    (sea / "dark.png").unlink()
    (sea / "broken.jpg").write_text("another")
    page = written(run)
    assert "dark.png" not in page and "Not an image" not in page and "Stray, once" in page, (
        "what has changed is not said"
    )


# -- in a browser ------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_page(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a page in headless Chromium. Errors on the console fail the test."""
    with browser(tmp_path / "downloads") as start:
        yield start


def titles(chrome: Any, selector: str) -> list[str]:
    return [one.text for one in chrome.find_elements("css selector", selector)]


def test_cells_open_their_photographs(make_run: MakeRun, open_page: Callable[..., Any]) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    run = make_run()
    data = data_of(written(run))
    chrome = open_page(run / "report.html")
    label, predicted, count = next(one for one in data["counts"] if one[0] != one[1])
    cell = chrome.find_element("css selector", f".matrix button[data-cell='{label},{predicted}']")
    chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
    cell.click()
    mistaken = [(one[0], one[3], one[2]) for one in data["photographs"] if one[2]]
    names = [name for name, missed, wrong in mistaken if (missed[0][0], wrong[0][0]) == (label, predicted)]
    shown = chrome.find_elements("css selector", "dialog figure img")
    assert sorted(one.get_attribute("alt") for one in shown) == sorted(names) and len(names) == count
    assert all(one.get_property("naturalWidth") > 0 for one in shown), "pictures are there"
    title = chrome.find_element("css selector", "dialog h2").text
    assert title == f"{data['classes'][label]}, taken for {data['classes'][predicted]}: {count}"
    assert "%" in chrome.find_element("css selector", "dialog figcaption").text
    assert hindrances(chrome) == []
    ActionChains(chrome).send_keys(Keys.ESCAPE).perform()
    assert not chrome.find_element("id", "photographs").is_displayed()
    assert chrome.switch_to.active_element == cell, "the keyboard goes on where it was"
    # arrow keys go to the next cell that holds photographs, Enter opens it
    ActionChains(chrome).send_keys(Keys.ARROW_DOWN if label == 0 else Keys.ARROW_UP).perform()
    other = chrome.switch_to.active_element
    assert other != cell and other.get_attribute("data-cell")
    ActionChains(chrome).send_keys(Keys.ENTER).perform()
    assert chrome.find_element("id", "photographs").is_displayed()
    assert requests_of(chrome) == [(run / "report.html").as_uri()]


def test_curves_zoom_by_buttons_keys_and_mouse(make_run: MakeRun, open_page: Callable[..., Any]) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    run = make_run()
    written(run)
    chrome = open_page(run / "report.html")
    slider = chrome.find_element("css selector", "input[type=range]")
    output = chrome.find_element("css selector", "output.values")
    range_of = lambda: re.findall(  # noqa: E731
        r"epochs (\d+) to (\d+)", chrome.find_element("css selector", ".chart svg").get_attribute("aria-label")
    )[0]
    assert output.text.startswith("Epoch 4 (best, by val_accuracy): loss 0.25 (training), 0.3 (validation)")
    assert range_of() == ("1", "6")
    chrome.execute_script("arguments[0].focus()", slider)
    ActionChains(chrome).send_keys(Keys.ARROW_RIGHT).perform()
    assert output.text.startswith("Epoch 5:") and "75.0 % (validation)" in output.text
    ActionChains(chrome).send_keys("+").perform()
    assert range_of() == ("4", "6")
    ActionChains(chrome).send_keys("0").perform()
    assert range_of() == ("1", "6")
    button = chrome.find_element("css selector", "button[value=in]")
    chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    assert range_of() != ("1", "6")
    chrome.find_element("css selector", "button[value=all]").click()
    chart = chrome.find_element("css selector", ".chart svg")
    width = chart.size["width"]
    ActionChains(chrome).move_to_element_with_offset(chart, -width // 4, 0).click_and_hold().move_by_offset(
        width // 3, 0
    ).release().perform()
    assert range_of() not in {("1", "6")}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_on_the_page_hinders_anybody(make_run: MakeRun, open_page: Callable[..., Any], scheme: str) -> None:
    run = make_run()
    written(run)
    chrome = open_page(run / "report.html")
    show_as(chrome, scheme=scheme)
    assert hindrances(chrome) == []
    show_as(chrome, scheme=scheme, phone=True)
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= 360, "nothing sticks out"
    assert hindrances(chrome) == []
    show_as(chrome, scheme=scheme, media="print")
    hidden = chrome.execute_script("return getComputedStyle(document.querySelector('.controls')).display")
    paper = chrome.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (hidden, paper) == ("none", "rgb(255, 255, 255)")


def test_of_many_classes_lists_choose(make_run: MakeRun, open_page: Callable[..., Any]) -> None:
    from selenium.webdriver.support.ui import Select

    run = make_run("many", [f"class {number:03}" for number in range(110)], per_class=2)
    page = written(run)
    chrome = open_page(run / "report.html")
    squares = chrome.find_elements("css selector", ".heat rect")
    assert len(squares) == len(data_of(page)["counts"])
    Select(chrome.find_element("name", "label")).select_by_value("7")
    button = chrome.find_element("css selector", "#choice button")
    chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    assert chrome.find_element("css selector", "dialog h2").text == "Photographs of class 007: 2"
    assert len(chrome.find_elements("css selector", "dialog figure")) == 2
    show_as(chrome, phone=True)
    chrome.execute_script("document.querySelector('dialog').close()")
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= 360
    assert hindrances(chrome) == []
