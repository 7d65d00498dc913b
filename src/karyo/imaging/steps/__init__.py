"""Steps of preprocessing, each switchable and with settings, and chains of them."""

from karyo.imaging.steps.chain import STEPS, Chain, find_step
from karyo.imaging.steps.step import State, Step, describe_settings

__all__ = ["STEPS", "Chain", "State", "Step", "describe_settings", "find_step"]
