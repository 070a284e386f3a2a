"""Fills the page on which one drops photographs, and says what a browser may do with it."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape

from scene_lightning.data.image_info import ImageInfo
from scene_lightning.pages import page as pages
from scene_lightning.pages.page import printable
from scene_lightning.serving.limits import Limits

_ELEMENT = re.compile(r"<(style|script)(?: type=\"module\")?>(.*?)</\1>", re.DOTALL)


_OF_LABELS = " A photograph has each label whose bar reaches its mark."


def page_of(name: str, info: ImageInfo, limits: Limits, explains: bool) -> tuple[str, str]:
    """The page, and its Content-Security-Policy: its own script and style alone run, and it asks this server alone.

    Args:
        name: of the model.
        info: what it knows.
        limits: what the server accepts.
        explains: whether it makes heat maps.
    """
    thresholds = None if info.thresholds is None else dict(zip(info.class_names, info.thresholds, strict=True))
    parts = {
        "title": escape(printable(name)),
        "classes": escape(", ".join(printable(one) for one in info.class_names)),
        "of_labels": "" if thresholds is None else _OF_LABELS,
        "data": pages.as_json({"most": limits.upload_bytes, "explains": explains, "thresholds": thresholds}),
    }
    page = pages.fill(pages.read_template("scene_lightning.serving", "page.html"), parts)
    hashes: dict[str, str] = {}
    for element, content in _ELEMENT.findall(page):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        hashes[element] = f"'sha256-{digest}'"
    policy = (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; img-src data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy
