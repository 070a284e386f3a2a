"""Recipes: what a training is told, checked, and the network that it asks for."""
