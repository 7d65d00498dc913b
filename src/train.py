"""Train a chromosome classifier: `python src/train.py --help` tells how."""

from karyo.training.application import train

if __name__ == "__main__":
    train()
