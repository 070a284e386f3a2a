"""Opens pages in headless Chromium: console errors fail the test, axe looks for what hinders people, screenshots."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
_QUIET = (  # no request of the browser's own to the outside
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--no-first-run",
)  # fmt: skip


@contextmanager
def browser(downloads: Path) -> Iterator[Any]:
    """Gives `start(page, *arguments)`, which opens a page (a Path or a URL) in a new browser and returns its driver.

    Skips the test, with the reason, where there is no browser. At the end the consoles must be empty.
    """
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no Chromium with its chromedriver: apt-get install chromium chromium-driver")
    opened: list[Any] = []

    def start(page: Path | str, *arguments: str) -> Any:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *_QUIET, *arguments,
        ):  # fmt: skip
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        opened.append(chrome)
        chrome.get(page.as_uri() if isinstance(page, Path) else page)
        return chrome

    yield start
    try:
        assert [entry for chrome in opened for entry in chrome.get_log("browser")] == []
    finally:
        for chrome in opened:
            chrome.quit()


def requests_of(chrome: Any) -> list[str]:
    """The addresses that the page has asked for since the last call; not those within the page (data:, blob:)."""
    messages = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("data:", "blob:"))]


def show_as(chrome: Any, *, scheme: str = "light", phone: bool = False, media: str = "") -> None:
    """Light or dark, a desk or a phone, the screen or paper (media="print")."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features, "media": media})
    if phone:
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    else:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def screenshot(chrome: Any, path: Path, *, whole: bool = False) -> None:
    """The window, or the whole page, as a PNG file."""
    picture = chrome.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": whole})
    path.write_bytes(base64.b64decode(picture["data"]))


def hindrances(chrome: Any) -> list[str]:
    """What axe (WCAG 2 A and AA, best practices) finds wrong with the page as it is shown: rule and element."""
    axe = pytest.importorskip("axe_core_python.base", reason="axe is not installed: pip install axe-core-python")
    script = Path(axe.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    chrome.execute_script(script)
    result = chrome.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    return [f"{rule['id']}: {node['target']} {node.get('failureSummary', '')}"
            for rule in result["violations"] for node in rule["nodes"]]  # fmt: skip
