"""What demo_mega-sam.py finds only where PYTHONPATH leads to UniDepth."""

UniDepthV2 = object
