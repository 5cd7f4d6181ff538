"""Accuracy and speed against baselines: ``python -m benchmarks``."""
