"""Everything that touches files, processes and devices."""
