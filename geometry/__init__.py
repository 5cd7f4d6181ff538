"""Camera geometry: numpy and scipy only, no files, images or models."""
