"""The page in a browser: photographs are dropped, chosen and pasted, answers, heat maps and errors are read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import browser, hindrances, requests_of, show_as
from tests.serving.conftest import CLASSES, Served
from tests.serving.uploads import photograph

_DROP = """
const [content, names, kind] = arguments;
const transfer = new DataTransfer();
for (const name of names) {
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
  transfer.items.add(new File([bytes], name, {type: "image/jpeg"}));
}
const event = kind === "paste" ? new ClipboardEvent(kind, {clipboardData: transfer, bubbles: true})
                               : new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true});
document.getElementById("drop").dispatchEvent(event);
"""


@pytest.fixture
def chrome(server: Served, tmp_path: Path) -> Iterator[Any]:
    """The page of the tiny model; errors on the console fail the test."""
    with browser(tmp_path) as start:
        yield start(server.url)


def give(chrome: Any, content: bytes, *names: str, kind: str = "drop") -> None:
    import base64

    chrome.execute_script(_DROP, base64.b64encode(content).decode(), names, kind)


def wait(chrome: Any, text: str) -> None:
    for _ in range(100):
        if chrome.find_element("id", "status").text == text:
            return
        time.sleep(0.1)
    raise AssertionError(chrome.find_element("id", "status").text)


def cards(chrome: Any) -> list[Any]:
    return chrome.find_elements("css selector", "#results > li")


def test_dropped_photographs_are_answered_as_the_endpoint_answers(chrome: Any, server: Served) -> None:
    give(chrome, photograph(3), "a.jpg", "b.jpg", "c.jpg")
    wait(chrome, "3 photographs")
    shown = cards(chrome)
    assert [card.find_element("tag name", "figcaption").text for card in shown] == ["c.jpg", "b.jpg", "a.jpg"]
    result = server.predict(photograph(3)).json()["results"][0]
    percents = [f"{100 * value:.1f} %" for value in sorted(result["probabilities"].values(), reverse=True)]
    for card in shown:
        assert card.find_element("tag name", "h2").text == f"{result['predicted']} · {percents[0]}"
        assert [bar.text for bar in card.find_elements("css selector", "dd:not(.track)")] == percents
        assert card.find_element("tag name", "img").get_property("naturalWidth") == 80
    assert {name.text for name in shown[0].find_elements("tag name", "dt")} == set(CLASSES)
    give(chrome, photograph(1), "", kind="paste")
    wait(chrome, "1 photograph")
    assert len(cards(chrome)) == 4
    chrome.find_element("id", "clear").click()
    assert not cards(chrome) and chrome.find_element("id", "status").text == "Nothing that is sent is kept."


def test_chosen_photographs_and_heat_maps(chrome: Any, tmp_path: Path) -> None:
    pytest.importorskip("captum")
    for name, seed in (("one.jpg", 1), ("two.jpg", 2)):
        (tmp_path / name).write_bytes(photograph(seed))
    assert chrome.find_element("id", "take").get_attribute("capture") == "environment"
    chrome.find_element("id", "choose").send_keys(f"{tmp_path / 'one.jpg'}\n{tmp_path / 'two.jpg'}")
    wait(chrome, "2 photographs")
    button = cards(chrome)[0].find_element("tag name", "button")
    before = cards(chrome)[0].find_element("tag name", "img").get_attribute("src")
    button.click()
    for _ in range(100):
        if button.get_attribute("aria-pressed") == "true":
            break
        time.sleep(0.1)
    shown = cards(chrome)[0].find_element("tag name", "img")
    assert (
        shown.get_attribute("src").startswith("data:image/jpeg;base64,")
        and "Heat map of two.jpg" in shown.accessible_name
    )
    button.click()
    assert cards(chrome)[0].find_element("tag name", "img").get_attribute("src") == before


def test_what_cannot_be_read_says_why(chrome: Any) -> None:
    give(chrome, b"<!doctype html>" * 9, "page.jpg")
    wait(chrome, "1 photograph")
    text = cards(chrome)[0].text
    assert "Not answered" in text and "A text, such as a web page" in text and "Save it as a JPEG" in text
    assert "This browser does not show files of this kind." in text
    assert hindrances(chrome) == []
    [note] = chrome.get_log("browser")  # the browser's own, of the refusal
    assert "415" in note["message"]


def test_too_large_a_file_is_not_sent(chrome: Any) -> None:
    chrome.execute_script(
        "const transfer = new DataTransfer(); transfer.items.add(new File([new Uint8Array(33e6)], 'big.jpg'));"
        "document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true}))"
    )
    wait(chrome, "1 photograph")
    assert "At most 32 MB" in cards(chrome)[0].text
    assert not [url for url in requests_of(chrome) if "predict" in url]


@pytest.mark.parametrize(("scheme", "phone"), [("light", False), ("dark", True)])
def test_the_page_hinders_nobody_and_asks_nobody_else(chrome: Any, server: Served, scheme: str, phone: bool) -> None:
    show_as(chrome, scheme=scheme, phone=phone)
    chrome.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})
    assert chrome.find_element("id", "take").find_element("xpath", "..").is_displayed() == phone, "no camera at a desk"
    assert hindrances(chrome) == []
    give(
        chrome, photograph(3), "a photograph with a long name that has to be broken somewhere, and goes on.jpg", "b.jpg"
    )
    wait(chrome, "2 photographs")
    assert hindrances(chrome) == []
    assert chrome.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    outside = [url for url in requests_of(chrome) if not url.startswith(server.url)]
    assert outside == []


def test_the_page_works_with_the_keyboard(chrome: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    give(chrome, photograph(3), "a.jpg")
    wait(chrome, "1 photograph")
    reached = []
    for _ in range(4):
        ActionChains(chrome).send_keys(Keys.TAB).perform()
        reached.append(chrome.switch_to.active_element.get_attribute("id") or chrome.switch_to.active_element.text)
    assert reached[:2] == ["choose", "clear"]
    chrome.find_element("id", "clear").send_keys(Keys.ENTER)
    assert not cards(chrome) and chrome.switch_to.active_element.get_attribute("id") == "choose"
