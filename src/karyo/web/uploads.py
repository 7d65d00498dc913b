"""Images on their way from a request to the predictor."""

import threading
import unicodedata
from collections.abc import Sequence
from os import cpu_count
from typing import IO, Any

import numpy as np
from flask import Request
from numpy.typing import NDArray
from werkzeug.datastructures import FileStorage

from karyo.errors import DataError
from karyo.imaging.read import decode_grey
from karyo.inference.many import Unreadable
from karyo.inference.predictor import Predictor, PreparedImage
from karyo.web.refusal import Refusal

_LONGEST_NAME = 200


class UploadRequest(Request):
    """A request that closes what its form brought also where the form was refused half-way.

    Parts of a form go into temporary files. werkzeug closes those of a form that was read to its end; the others would
    stay open until they are collected as garbage.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._streams: list[IO[bytes]] = []

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        stream = super()._get_file_stream(total_content_length, content_type, filename, content_length)
        self._streams.append(stream)
        return stream

    def close(self) -> None:
        """Close all temporary files."""
        super().close()
        for stream in self._streams:
            stream.close()


workplace = threading.BoundedSemaphore(max(2, cpu_count() or 1))
"""To be held while an image is decoded and prepared: more at a time than cores are no faster, and take memory."""


def clean_name(offered: str | None, position: int) -> str:
    """Give the name under which an image is spoken of: never a path, never anything that moves a terminal.

    Args:
        offered: The client's file name.
        position: The image's number, from 1, for one without a usable name.
    """
    last = (offered or "").replace("\\", "/").rpartition("/")[2]
    visible = (each for each in last if unicodedata.category(each)[0] != "C")
    printable = "".join(" " if each.isspace() else each for each in visible)
    kept = printable.strip()[:_LONGEST_NAME].strip()
    return kept if kept.strip(".") else f"image {position}"


def check_multipart(request: Request) -> None:
    """Refuse a body that is no form with files.

    Raises:
        Refusal: 415.
    """
    if request.mimetype != "multipart/form-data":
        raise Refusal(415)


def decode(file: FileStorage, position: int, max_pixels: int) -> tuple[str, NDArray[np.uint8]]:
    """Decode an uploaded image.

    Args:
        file: As the form brought it.
        position: Its number, from 1.
        max_pixels: Largest width times height.

    Returns:
        Its cleaned name, and uint8 (H, W).

    Raises:
        DataError: If it is no image that can be read.
    """
    name = clean_name(file.filename, position)
    return name, decode_grey(file.stream.read(), name, max_pixels)


def prepare(predictor: Predictor, file: FileStorage, position: int, max_pixels: int) -> PreparedImage | Unreadable:
    """Bring an uploaded image to the network's input, or say why it cannot be read."""
    with workplace:
        try:
            name, grey = decode(file, position, max_pixels)
            return predictor.prepare(grey, position, name)
        except DataError as error:
            return Unreadable(clean_name(file.filename, position), str(error))


def only_file(files: Sequence[FileStorage]) -> FileStorage:
    """Give the one file of a request that takes one.

    Raises:
        Refusal: 400 for none or several.
    """
    if len(files) != 1:
        raise Refusal(400, f"Send one image, not {len(files)}.", "wrong_number_of_images")
    return files[0]
