"""On what a benchmark ran: enough to judge its figures, nothing that names the machine."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

_PACKAGES = ("torch", "torchvision", "pytorch-lightning", "albumentations", "opencv-python-headless", "numpy", "pillow")


def describe() -> dict[str, str]:
    """Give processor, memory, GPU, versions, and how busy the machine was with other work."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "GPU": gpu,
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "other load at the start": f"{os.getloadavg()[0]:.1f} processes",
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
