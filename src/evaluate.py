"""Measure a trained classifier on any data set: `python src/evaluate.py --help` tells how."""

from karyo.training.application import evaluate

if __name__ == "__main__":
    evaluate()
