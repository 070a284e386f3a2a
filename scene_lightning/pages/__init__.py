"""What the HTML pages share: a template's filling, the style, and pictures within the page."""
