"""The obvious peer: torchvision's ImageFolder with PIL transforms, as tutorials and the report's code have it."""

from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder


def plain(size: int) -> Any:
    """Give the transforms without augmentation."""
    return transforms.Compose([transforms.Resize((size, size)), transforms.ToTensor(), _normalize()])


def report(size: int) -> Any:
    """Give the report's augmentation as torchvision spells it, each part with a probability of one half."""
    jitter = transforms.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1)
    affine = transforms.RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=10)
    blur = transforms.GaussianBlur(kernel_size=(5, 9), sigma=(0.1, 5.0))
    changes = [transforms.RandomApply([change], p=0.5) for change in (jitter, affine, blur)]
    return transforms.Compose([transforms.Resize((size, size)), *changes, transforms.ToTensor(), _normalize()])


def loader(root: Path, transform: Any, batch: int, workers: int = 0) -> DataLoader[Any]:
    """Serve a folder of classes, shuffled."""
    return DataLoader(
        ImageFolder(str(root), transform),
        batch_size=batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def _normalize() -> Any:
    return transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
