"""The page of a run, report.html, and the page that sets runs side by side."""
