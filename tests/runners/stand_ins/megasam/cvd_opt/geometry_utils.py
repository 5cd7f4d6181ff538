"""What cvd_opt.py finds beside itself."""

NormalGenerator = object
