"""Names that other libraries have removed since a program was written, given back under the runner alone.

`hook` acts when a program imports one of those libraries; there is one file for each library; `patching` holds the
ways of giving a name back. Every use is noted for the closing report, with the modern spelling.
"""
