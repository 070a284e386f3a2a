"""Training runs: train, resume, cross-validation, finders, comparison."""
