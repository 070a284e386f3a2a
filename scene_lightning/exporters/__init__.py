"""Exports a model with its preprocessing for other runtimes, and judges the file by what that runtime answers."""
