"""Camera-trajectory estimators behind one interface (see ``base.py``)."""
