"""An exported model to predictions: OpenCV and onnxruntime only, no torch, no lightning, no hydra."""

from karyo.inference.passport import Passport
from karyo.inference.prediction import REASONS, Prediction
from karyo.inference.predictor import Image, Predictor, load

__all__ = ["REASONS", "Image", "Passport", "Prediction", "Predictor", "load"]
