"""Recipes, the demo's scenes, the pipeline and its reports: what the command line calls."""
