"""Sources of the models that Triton serves: the nets, and the Python backend's `model.py`."""
