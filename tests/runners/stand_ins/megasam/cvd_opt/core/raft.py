"""What preprocess_flow.py finds only where PYTHONPATH leads to cvd_opt/core."""

RAFT = object
