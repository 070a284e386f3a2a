"""The page of `predict --html` and of `evaluate --mistakes`, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scene_lightning.cli import main as cli
from scene_lightning.errors import InputError
from scene_lightning.inference import gallery as galleries
from scene_lightning.inference.gallery import Gallery
from scene_lightning.reports.prediction_files import Prediction
from tests.browser import browser, hindrances, requests_of, show_as
from tests.inference.conftest import COLOURS, coloured_picture

BLUE = list(COLOURS)[2]


@pytest.fixture
def page(colour_model: Path, photographs: Path, tmp_path: Path) -> Path:
    """The page of eight pictures and a file that is none."""
    assert cli.run(["predict", str(colour_model), str(photographs), "--html", str(tmp_path / "page.html")]) == 3
    return tmp_path / "page.html"


@pytest.fixture
def open_page(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a page in headless Chromium. Errors on the console fail the test."""
    with browser(tmp_path / "downloads") as start:
        yield start


def test_the_page_asks_for_nothing_outside(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in text and "{{" not in text
    assert not re.findall(r"https?:", re.sub(r"data:image/webp;base64,[^\"]*", "", text))
    assert text.count("data:image/webp;base64,") == 8
    assert "<b>deep" not in text and "\\u003cb>deep" in text
    assert "1 could not be read" in text and "it is not an image" in text


def test_pictures_shrink_and_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coloured_picture(tmp_path / "a.png", "red", 0)
    monkeypatch.setattr(galleries, "SIDES", ((2, 40, 80), (3, 20, 60)))
    monkeypatch.setattr(galleries, "MOST_PICTURES", 3)
    sizes = []
    for count in (1, 3, 5):
        with Gallery(str(tmp_path / "page.html"), "t", ["a", "b"], count) as gallery:
            for _ in range(count):
                gallery.write(Prediction(str(tmp_path / "a.png"), "a", np.array([0.75, 0.25], np.float32)))
        text = (tmp_path / "page.html").read_text()
        sizes.append((text.count("data:image/webp"), "The first 3 have pictures" in text))
    assert sizes == [(1, False), (3, False), (3, True)]
    assert re.fullmatch(r".*page\.html: 5 images, \d\d kB; the first 3 have pictures", gallery.in_words())
    with pytest.raises(InputError, match="100,001 images for one page"):
        Gallery(str(tmp_path / "page.html"), "t", ["a"], 100_001)


def test_an_interruption_leaves_no_page(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Gallery(str(tmp_path / "page.html"), "t", ["a"], 1):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


# -- in a browser ------------------------------------------------------------------------------------------------------


def names(chrome: Any) -> list[str]:
    return [element.text for element in chrome.find_elements("css selector", ".card .name")]


def percents(chrome: Any) -> list[float]:
    cells = chrome.find_elements("css selector", ".card .answer span + span")
    return [float(cell.text.removesuffix(" %")) for cell in cells]


def choose(chrome: Any, select: str, text: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(chrome.find_element("id", select)).select_by_visible_text(text)


def slide(chrome: Any, slider: str, value: int) -> None:
    element = chrome.find_element("id", slider)
    chrome.execute_script(f"arguments[0].value = {value}; arguments[0].dispatchEvent(new Event('input'))", element)


def test_filter_sort_and_look(page: Path, open_page: Callable[..., Any]) -> None:
    chrome = open_page(page)
    count = chrome.find_element("id", "count")
    assert count.text == "8 images"
    assert names(chrome) == ["a/0.jpg", "a/2.jpg", "a/4.jpg", "a/6.jpg", "b/0.jpg", "b/1.jpg", "b/3.jpg", "b/5.jpg"]
    choose(chrome, "order", "surest first")
    assert percents(chrome) == sorted(percents(chrome), reverse=True) and len(set(percents(chrome))) > 4
    choose(chrome, "order", "least sure first")
    assert percents(chrome) == sorted(percents(chrome))
    choose(chrome, "order", "name")
    choose(chrome, "class", "red (4)")
    assert count.text == "4 of 8 images" and names(chrome) == ["a/0.jpg", "a/6.jpg", "b/0.jpg", "b/3.jpg"]
    least = min(percents(chrome))
    slide(chrome, "low", int(least) + 1)
    assert count.text == "3 of 8 images" and min(percents(chrome)) > least
    slide(chrome, "high", int(least) + 2)
    slide(chrome, "low", int(least) + 2)
    assert count.text == "0 of 8 images" and chrome.find_element("id", "empty").is_displayed()
    chrome.find_element("id", "reset").click()
    assert count.text == "8 images"
    chrome.find_element("id", "search").send_keys("B/")
    assert count.text == "4 of 8 images"
    chrome.find_element("css selector", ".unreadable summary").click()
    assert "broken.jpg" in chrome.find_element("css selector", ".unreadable li").text


def test_an_image_opens_large_and_the_keyboard_goes_on(page: Path, open_page: Callable[..., Any]) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    chrome = open_page(page)

    def press(*keys: str) -> None:
        for key in keys:
            ActionChains(chrome).send_keys(key).perform()

    press(*[Keys.TAB] * 7)
    while "card" not in chrome.switch_to.active_element.get_attribute("class"):
        press(Keys.TAB)
    press(Keys.ENTER)
    view = chrome.find_element("id", "view")
    assert view.is_displayed() and "a/0.jpg" in view.text and "1 of 8" in view.text
    chances = [cell.text for cell in chrome.find_elements("css selector", "#view-rows td.number")]
    assert len(chances) == 3 and sum(float(text.removesuffix(" %")) for text in chances) == pytest.approx(100, abs=0.2)
    press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert "2 of 8" in view.text and "a/2.jpg" in view.text and BLUE in view.text
    press(Keys.ESCAPE)
    assert not view.is_displayed()
    assert chrome.switch_to.active_element.text.endswith("a/2.jpg"), "the focus is on the image that was looked at"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_on_the_page_hinders_anybody(page: Path, open_page: Callable[..., Any], scheme: str) -> None:
    chrome = open_page(page)
    show_as(chrome, scheme=scheme, phone=True)
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= 360, "nothing sticks out"
    assert hindrances(chrome) == []
    chrome.find_element("css selector", ".card").click()
    inner = chrome.execute_script("const v = document.getElementById('view'); return [v.scrollWidth, v.clientWidth]")
    assert inner[0] <= inner[1] and hindrances(chrome) == []
    show_as(chrome, scheme=scheme)
    assert hindrances(chrome) == []
    assert requests_of(chrome) == [page.as_uri()]


def test_five_thousand_images_stay_usable(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    coloured_picture(tmp_path / "a.jpg", "red", 0)
    random = np.random.default_rng(0)
    with Gallery(str(tmp_path / "page.html"), "Many", ["a", "b"], 5000) as gallery:
        for number in range(5000):
            chance = random.uniform(0.5, 1)
            row = np.array([chance, 1 - chance], np.float32)
            gallery.write(Prediction(f"{tmp_path}/{number}.jpg" if number else f"{tmp_path}/a.jpg", "a", row))
    chrome = open_page(tmp_path / "page.html")
    cards = "return document.querySelectorAll('.card').length"
    assert chrome.execute_script(cards) <= 180, "only what is near is drawn"
    started = time.monotonic()
    choose(chrome, "order", "least sure first")
    assert percents(chrome)[:9] == sorted(percents(chrome)[:9]) and time.monotonic() - started < 5
    before = chrome.execute_script(cards)
    chrome.execute_script("scrollTo(0, document.body.scrollHeight)")
    for _ in range(50):
        if chrome.execute_script(cards) > before:
            break
        time.sleep(0.1)
    assert before < chrome.execute_script(cards) < 1000


def test_heat_maps_are_shown_on_request(
    colour_model: Path, photographs: Path, tmp_path: Path, open_page: Callable[..., Any]
) -> None:
    pytest.importorskip("captum", reason="captum is not installed: pip install captum")
    words = [str(photographs), "--html", str(tmp_path / "page.html"), "--explain"]
    assert cli.run(["predict", str(colour_model), *words]) == 3
    chrome = open_page(tmp_path / "page.html")
    assert not chrome.find_elements("css selector", ".heat")
    chrome.find_element("id", "heat").click()
    assert len(chrome.find_elements("css selector", ".card .heat")) == 8
    chrome.find_element("css selector", ".card").click()
    assert chrome.find_elements("css selector", "#view-picture .heat") and hindrances(chrome) == []
    chrome.find_element("id", "view-heat").click()
    assert not chrome.find_elements("css selector", ".heat")


def test_an_answer_that_is_none_of_the_classes(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    coloured_picture(tmp_path / "a.jpg", "red", 0)
    with Gallery(str(tmp_path / "page.html"), "One", ["a", "b"], 2) as gallery:
        for predicted in ("a", "unknown"):
            gallery.write(Prediction(str(tmp_path / "a.jpg"), predicted, np.array([0.6, 0.4], np.float32)))
    chrome = open_page(tmp_path / "page.html")
    choose(chrome, "class", "unknown (1)")
    chrome.find_element("css selector", ".card").click()
    assert chrome.find_element("id", "view-name").text == "unknown, 60.0 %"


def test_mistakes_are_filtered_by_their_true_class(
    colour_model: Path, tmp_path: Path, open_page: Callable[..., Any]
) -> None:
    for true, looks in (("red", "green"), ("red", BLUE), ("green", "red")):
        (tmp_path / "labelled" / true).mkdir(parents=True, exist_ok=True)
        coloured_picture(tmp_path / "labelled" / true / f"{looks[:3]}.png", looks, 0)
    words = [str(tmp_path / "labelled"), "--mistakes", str(tmp_path / "wrong")]
    assert cli.run(["evaluate", str(colour_model), *words]) == 0
    chrome = open_page(tmp_path / "wrong" / "index.html")
    choose(chrome, "true", "red (2)")
    assert chrome.find_element("id", "count").text == "2 of 3 images"
    assert {element.text for element in chrome.find_elements("css selector", ".true")} == {"is red"}
    assert hindrances(chrome) == []
