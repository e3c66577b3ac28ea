"""The model server. `server.py` and the frameworks beside it are run by the Python of an image, not by ours: they import
nothing of sagewright, and keep to what Python 3.8 knows."""
