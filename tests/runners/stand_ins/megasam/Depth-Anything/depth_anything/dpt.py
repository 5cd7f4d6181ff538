"""What run_videos.py finds beside itself."""

DPT_DINOv2 = object
