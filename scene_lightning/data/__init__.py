"""Reads, decodes, caches and augments images, and keeps the tables of their labels."""
