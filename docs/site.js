// Code blocks that are wider than the window scroll: the keyboard must reach them.
for (const code of document.querySelectorAll("pre > code")) code.tabIndex = 0;
