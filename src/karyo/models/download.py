"""Pretrained weights from the libraries' servers into their local caches; a second call finds them there."""

import http.client
import os
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import torch
import torchvision
from huggingface_hub import hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError

from karyo.errors import DataError
from karyo.servers import PATIENCE, mirrored, reason

MIRROR_VARIABLE = "KARYO_WEIGHTS_MIRROR"
"""Environment variable: a base URL that holds torchvision's weight files by their names, for closed networks."""

HUB_VARIABLE = "HF_ENDPOINT"
"""Environment variable of the Hugging Face client: a server in the place of the public one, for timm's weights."""

_HUB = "https://huggingface.co"
_HUB_FILE = "model.safetensors"


def torchvision_file(name: str) -> Path:
    """Fetch torchvision's ImageNet weights of a network, showing progress.

    Args:
        name: torchvision's name of the network.

    Returns:
        The file in torch's cache (``TORCH_HOME``). What was downloaded has the checksum that its name promises.

    Raises:
        SettingsError: If the mirror's address is none.
        DataError: If the file cannot be had: no connection, no such file, damaged on the way, no room.
    """
    url = mirrored(torchvision.models.get_model_weights(name)["DEFAULT"].url, MIRROR_VARIABLE)
    file = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    if file.is_file():
        return file
    checksum = torch.hub.HASH_REGEX.search(file.name)
    try:
        _reach(url)
        make_folder(file.parent)
        print(f"Downloading {url} to {file}", file=sys.stderr)
        torch.hub.download_url_to_file(url, str(file), checksum.group(1) if checksum else None)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()
        raise unavailable(name, error, MIRROR_VARIABLE) from error
    except RuntimeError as error:
        raise DataError(
            f"the download of the weights of {name} from {url} is damaged ({reason(error)}); try again, "
            "or give a good copy with weights=FILE."
        ) from error
    return file


def timm_file(config: Any) -> str | None:
    """Fetch timm's weights of a network, showing progress.

    Args:
        config: timm's configuration of these weights.

    Returns:
        The file in the cache of the Hugging Face client (``HF_HOME``); None if they lie elsewhere, where timm itself
        has to fetch them.

    Raises:
        OSError: If there is no connection; said at once, where the client would try for a minute.
    """
    if not config.hf_hub_id or config.hf_hub_filename or config.custom_load:
        return None
    repository, _, revision = config.hf_hub_id.partition("@")
    cached = try_to_load_from_cache(repository, _HUB_FILE, revision=revision or None)
    if isinstance(cached, str):
        return cached
    server = os.environ.get(HUB_VARIABLE) or _HUB
    _reach(server)
    try:
        return hf_hub_download(repository, _HUB_FILE, revision=revision or None, endpoint=server)
    except EntryNotFoundError:
        return None


def unavailable(name: str, error: BaseException, variable: str) -> DataError:
    """Say that weights could not be had, and what else can be done."""
    return DataError(
        f"pretrained=true needs the ImageNet weights of {name}, which could not be downloaded ({reason(error)}); "
        f"go online, set {variable} to a server that you can reach, or give a file with weights=FILE."
    )


def make_folder(folder: Path) -> None:
    """Make the cache's folder.

    Raises:
        DataError: If there is no room or no permission.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: downloaded weights cannot be kept there ({error}); set TORCH_HOME.") from error


def _reach(url: str) -> None:
    """Ask whether a server answers, whatever it answers.

    Raises:
        OSError: If it does not within a few seconds.
    """
    try:
        urlopen(Request(url, method="HEAD"), timeout=PATIENCE).close()
    except HTTPError as answer:
        answer.close()
    except ValueError as error:
        raise URLError(str(error)) from error
