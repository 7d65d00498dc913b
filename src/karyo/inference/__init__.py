"""An exported model to predictions: OpenCV and onnxruntime only, no torch, no lightning, no hydra.

Importing this room switches onnxruntime's telemetry off, unless ``ORT_DISABLE_TELEMETRY`` is set already: its builds
report to their maker when they are imported, which a laboratory's program must not do unasked. It has to be done before
onnxruntime is imported for the first time, so a program that imports onnxruntime itself does so after karyo.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from karyo.inference.passport import Passport
from karyo.inference.prediction import REASONS, Prediction
from karyo.inference.predictor import Image, Predictor, load

__all__ = ["REASONS", "Image", "Passport", "Prediction", "Predictor", "load"]
