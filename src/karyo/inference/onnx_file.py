"""What an ONNX file holds, read before anything runs it.

A model is a program: a file can loop for ever, name other files on the disk, or bring functions that unfold without
end. The fields that decide this are few, and the format is simple (Protocol Buffers encoding; onnx.proto3 of ONNX IR
version 10 gives the numbers), so they are read here, without the onnx package and without copying the weights.
"""

from collections.abc import Iterator

from karyo.errors import DataError

LARGEST = 2**31 - 1
"""Bytes that one protobuf message can have."""

_DOMAINS = (b"", b"ai.onnx", b"com.microsoft")
"""Whose operators are run: ONNX's own, and those that onnxruntime's quantisation uses."""

_MOST_FIELDS = 1_000_000
_MOST_METADATA = 4_000_000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_OTHER_RUNTIME = b"ORTM"

# Field numbers of onnx.proto3.
_MODEL_GRAPH, _MODEL_METADATA, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 14, 20, 25
_GRAPH_NODE, _GRAPH_TENSOR, _GRAPH_SPARSE = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2

_Field = tuple[int, int | memoryview]


def metadata(content: bytes) -> dict[str, str]:
    """Check an ONNX file and give its metadata.

    Args:
        content: The whole file.

    Returns:
        The metadata that its maker wrote, by key.

    Raises:
        DataError: If it is damaged, has loops, branches, functions or foreign operators, or keeps weights elsewhere.
            The message is the end of a sentence that begins with the file's name.
    """
    # onnxruntime takes these bytes for a format of its own, whatever the rest is.
    if content[4:8] == _OTHER_RUNTIME:
        raise DataError("is of onnxruntime's own format; only ONNX files are read")
    found, length, reader = {}, 0, _Reader()
    for number, value in reader.fields(memoryview(content)):
        if number in (_MODEL_TRAINING, _MODEL_FUNCTIONS):
            raise DataError("brings functions of its own, which no file of karyo does; they are not run")
        if number == _MODEL_GRAPH:
            _check_graph(reader, value)
        elif number == _MODEL_METADATA:
            entry = dict(reader.fields(value))
            length += sum(len(text) for text in entry.values() if isinstance(text, memoryview))
            if length > _MOST_METADATA:
                raise DataError(f"carries more than {_MOST_METADATA:,} bytes of notes; no file of karyo has so many")
            found[_text(entry.get(_ENTRY_KEY))] = _text(entry.get(_ENTRY_VALUE))
    return found


class _Reader:
    """Splits messages into fields; counts them, so that a file of nothing but fields ends soon."""

    def __init__(self) -> None:
        self._left = _MOST_FIELDS

    def fields(self, message: int | memoryview) -> Iterator[_Field]:
        """Give the number and the value of every field: a whole number, or bytes."""
        if isinstance(message, int):
            raise _damaged()
        position = 0
        while position < len(message):
            self._left -= 1
            if self._left < 0:
                raise DataError("has millions of parts, which no file of karyo has; it is not opened")
            key, position = _varint(message, position)
            value: int | memoryview
            if key & 7 == _VARINT:
                value, position = _varint(message, position)
            else:
                length, position = _length(message, key & 7, position)
                value, position = message[position : position + length], position + length
            if position > len(message):
                raise _damaged()
            yield key >> 3, value


def _length(message: memoryview, wire: int, position: int) -> tuple[int, int]:
    """How many bytes a value has, and where it begins."""
    if wire == _BYTES:
        return _varint(message, position)
    if wire not in (_FIXED32, _FIXED64):
        raise _damaged()
    return (4 if wire == _FIXED32 else 8), position


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(message[position : position + 10]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, position + count + 1
    raise _damaged()


def _check_graph(reader: _Reader, graph: int | memoryview) -> None:
    for number, value in reader.fields(graph):
        if number == _GRAPH_NODE:
            _check_node(reader, value)
        elif number == _GRAPH_TENSOR:
            _check_tensor(reader, value)
        elif number == _GRAPH_SPARSE:
            raise _sparse()


def _check_node(reader: _Reader, node: int | memoryview) -> None:
    operator, domain = b"", b""
    for number, value in reader.fields(node):
        if number == _NODE_ATTRIBUTE:
            _check_attribute(reader, value)
        elif number == _NODE_OPERATOR and isinstance(value, memoryview):
            operator = bytes(value[:40])
        elif number == _NODE_DOMAIN and isinstance(value, memoryview):
            domain = bytes(value[:40])
    if domain not in _DOMAINS:
        raise DataError(f"uses a foreign operator ({_text(domain)}.{_text(operator)}), which no file of karyo does")


def _check_attribute(reader: _Reader, attribute: int | memoryview) -> None:
    for number, value in reader.fields(attribute):
        if number in _ATTRIBUTE_GRAPHS:
            raise DataError("has loops or branches in its network, which no file of karyo has; they are not run")
        if number in _ATTRIBUTE_SPARSE:
            raise _sparse()
        if number in _ATTRIBUTE_TENSORS:
            _check_tensor(reader, value)


def _check_tensor(reader: _Reader, tensor: int | memoryview) -> None:
    for number, value in reader.fields(tensor):
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value != 0):
            raise DataError("keeps weights in other files, which no file of karyo does; they are not opened")


def _text(value: int | memoryview | bytes | None) -> str:
    if value is None or isinstance(value, int):
        raise _damaged()
    return bytes(value).decode("utf-8", "backslashreplace")


def _damaged() -> DataError:
    return DataError("cannot be read as an ONNX model; it is damaged or of another kind")


def _sparse() -> DataError:
    return DataError("has sparse weights, which no file of karyo has; they are not read")
