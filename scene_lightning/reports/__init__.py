"""A run's folder, and its plots and tables."""
