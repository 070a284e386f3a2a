"""A package, so that tables of one test file can be imported by another: `from tests.layers.cases import CASES`."""
