"""What preprocess_flow.py finds beside itself."""

InputPadder = object
