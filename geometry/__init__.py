"""Camera geometry: numpy only, no files, images or models."""
