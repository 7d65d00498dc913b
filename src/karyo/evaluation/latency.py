"""How long a network takes for one image, which is what its user waits for."""

import time

import torch

from karyo.models.ensemble import Network

_WARM_UP = 2
_FEWEST, _MOST = 3, 30
_PATIENCE = 0.5
"""Seconds after which no further image is sent, once there were the fewest."""


@torch.inference_mode()
def measure_latency(network: Network, device: torch.device) -> float:
    """Measure the time of one image through a network, without reading and preparing it.

    Args:
        network: The network; it is moved to ``device`` and left in evaluation mode.
        device: Where to compute.

    Returns:
        The least in milliseconds: whatever else a machine does can only add to it.
    """
    network.eval().to(device)
    side = network.spec.image_size
    image = torch.zeros((1, network.spec.channels, side, side), dtype=torch.uint8, device=device)
    times: list[float] = []
    for _ in range(_WARM_UP):
        network(image)
    began = time.perf_counter()
    while len(times) < _FEWEST or (len(times) < _MOST and time.perf_counter() - began < _PATIENCE):
        start = time.perf_counter()
        network(image)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)
