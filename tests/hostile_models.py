"""Makers of ONNX files: a tiny one that works, and those that are broken or made to hurt."""

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from karyo.chromosomes import CLASSES
from karyo.imaging.preparation import Preparation
from karyo.inference.passport import METADATA_KEY, Passport

SIZE = 32


def settings(**changed: Any) -> dict[str, Any]:
    """A passport's content as it stands in a file, with some of it changed; a value of None takes the key out."""
    content = json.loads(Passport("tiny", Preparation(SIZE), karyo="0.1.0").to_json()) | changed
    return {name: value for name, value in content.items() if value is not None}


def network(
    batch: str | int = "batch", size: int = SIZE, classes: int = len(CLASSES), kind: int = TensorProto.UINT8
) -> onnx.ModelProto:
    """A network of one layer: 4 x 4 averages of the image, weighted by noise."""
    weights = np.random.default_rng(0).normal(size=((size // 4) ** 2, classes)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("AveragePool", ["floats"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["small"], ["features"]),
        helper.make_node("MatMul", ["features", "weights"], ["sums"]),
        helper.make_node("Div", ["sums", "scale"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", kind, [batch, 1, size, size])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, classes]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, [batch, (size // 4) ** 2]),
        ],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.float32(300), "scale")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def with_passport(model: onnx.ModelProto, text: str | None = None) -> bytes:
    """The file's bytes with a passport inside, by default one that fits."""
    helper.set_model_props(model, {METADATA_KEY: json.dumps(settings()) if text is None else text})
    return model.SerializeToString()


def whole() -> bytes:
    """A model that works."""
    return with_passport(network())


def _changed(change: Callable[[onnx.ModelProto], object], **made: Any) -> bytes:
    model = network(**made)
    change(model)
    return with_passport(model)


def _external(location: str) -> bytes:
    def move(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, "offset": "0", "length": str((SIZE // 4) ** 2 * 24 * 4)}.items():
            tensor.external_data.add(key=key, value=value)

    return _changed(move)


def _looping(trips: int) -> bytes:
    def loop(model: onnx.ModelProto) -> None:
        flag = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])
        body = helper.make_graph(
            [
                helper.make_node("Identity", ["flag_in"], ["flag"]),
                helper.make_node("Add", ["sum_in", "sum_in"], ["sum_out"]),
            ],
            "body",
            [
                helper.make_tensor_value_info("trip", TensorProto.INT64, []),
                helper.make_tensor_value_info("flag_in", TensorProto.BOOL, []),
                helper.make_tensor_value_info("sum_in", TensorProto.FLOAT, None),
            ],
            [flag, helper.make_tensor_value_info("sum_out", TensorProto.FLOAT, None)],
        )
        model.graph.initializer.append(numpy_helper.from_array(np.int64(trips), "trips"))
        model.graph.initializer.append(numpy_helper.from_array(np.bool_(True), "on"))
        model.graph.node[-1].output[0] = "before"
        model.graph.node.append(helper.make_node("Loop", ["trips", "on", "before"], ["logits"], body=body))

    return _changed(loop)


def _unfolding(model: onnx.ModelProto) -> None:
    """Forty functions, each of which calls the next one ten times."""
    names = [f"f{number}" for number in range(40)]
    for name, following in zip(names, [*names[1:], None], strict=True):
        calls = [helper.make_node(following or "Relu", ["x"], ["y"], domain="own" if following else "")] * 10
        model.functions.append(helper.make_function("own", name, ["x"], ["y"], calls, [helper.make_opsetid("", 18)]))


def _declared(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [2**40, 2**20]


def _folded(model: onnx.ModelProto) -> None:
    """A constant of a terabyte, made by an operator."""
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**38], np.int64), "shape"))
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["shape"], ["huge"]))
    model.graph.node.insert(1, helper.make_node("ReduceSum", ["huge"], ["scaling"], keepdims=0))
    model.graph.node[-1].input[1] = "scaling"


def _foreign(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "evil.example"
    model.opset_import.append(helper.make_opsetid("evil.example", 1))


def _fixed_inside(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, -1], np.int64), "flat"))
    model.graph.node[2].CopyFrom(helper.make_node("Reshape", ["small", "flat"], ["features"]))


def _set_opset(version: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        model.opset_import[0].version = version

    return change


@functools.cache
def refused() -> dict[str, tuple[bytes, str]]:
    """Files that must not open, with a piece of the sentence that says why."""
    good = whole()
    other = onnx.ModelProto()
    other.CopyFrom(network())
    ort = b"\x7a\x0a\0\0ORTM" + good
    return {
        "empty": (b"", "carries no settings"),
        "text": (b"not a model", "damaged"),
        "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), ""),
        "a zip": (b"PK\x03\x04" + bytes(100), "damaged"),
        "fields without end": (b"\x08\x01" * 1_100_000, "millions of parts"),
        "a number without end": (b"\xff" * 100, "damaged"),
        "onnxruntime's own format": (ort, "own format"),
        "another program's": (other.SerializeToString(), "no model of karyo"),
        "opset 99": (_changed(_set_opset(99)), "cannot be run"),
        "opset 2": (_changed(_set_opset(2)), "cannot be run"),
        "weights in /etc/passwd": (_external("/etc/passwd"), "other files"),
        "weights in ../../etc/passwd": (_external("../../../../etc/passwd"), "other files"),
        "weights in a neighbour": (_external("weights.bin"), "other files"),
        "foreign operator": (_changed(_foreign), "foreign operator"),
        "unknown operator": (_changed(lambda model: setattr(model.graph.node[0], "op_type", "Evil")), "cannot be run"),
        "a loop of 2^62 trips": (_looping(2**62), "loops or branches"),
        "functions that unfold": (_changed(_unfolding), "functions"),
        "weights of 2^60 numbers": (_changed(_declared), "cannot be run"),
        "a constant of a terabyte": (_changed(_folded), "run"),
        "four images at a time": (with_passport(network(batch=4)), "4 images at a time"),
        "one image at a time inside": (_changed(_fixed_inside), "cannot be run"),
        "another size": (with_passport(network(size=64)), "32 x 32"),
        "ten classes": (with_passport(network(classes=10)), "24 classes"),
        "floating-point images": (with_passport(network(kind=TensorProto.FLOAT)), "32 x 32"),
        "no output of that name": (_changed(lambda model: model.graph.output.pop(0)), "24 classes"),
        "no graph": (with_passport(helper.make_model(helper.make_graph([], "none", [], []))), "damaged"),
    }


@functools.cache
def refused_texts() -> dict[str, str]:
    """Metadata that no model may have, by what is wrong with it."""
    plain = settings()
    prepared = plain["preparation"]

    def inside(**changed: Any) -> str:
        return json.dumps(settings(preparation=prepared | changed))

    return {
        "nothing": "",
        "no JSON": "{not json",
        "python": "__import__('os').system('touch owned')",
        "a list": "[]",
        "a number": "1",
        "null": "null",
        "nested 100,000 deep": "[" * 100_000 + "]" * 100_000,
        "nested 900 deep": json.dumps(plain)[:-1] + ', "format": ' + "[" * 900 + "]" * 900 + "}",
        "a training nested 500 deep": json.dumps(plain)[:-1] + ', "training": {"a": ' + "[" * 500 + "]" * 500 + "}}",
        "three million characters": json.dumps(settings(licence="x" * 3_000_000)),
        "a hundred million characters": json.dumps(settings(licence="x" * 100_000_000)),
        "NaN": json.dumps(settings(temperature=float("nan"))),
        "infinite": json.dumps(plain).replace('"temperature": 1.0', '"temperature": 1e999'),
        "a number of 400 digits": json.dumps(settings(temperature=10**400)),
        "a number of 5000 digits": json.dumps(plain).replace('"temperature": 1.0', '"temperature": ' + "9" * 5000),
        "format 999": json.dumps(settings(format=999)),
        "format true": json.dumps(settings(format=True)),
        "format as text": json.dumps(settings(format="1")),
        "no format": json.dumps(settings(format=None)),
        "other classes": json.dumps(settings(classes=["cat", "dog"])),
        "classes in another order": json.dumps(settings(classes=[*CLASSES[::-1]])),
        "no preparation": json.dumps(settings(preparation=None)),
        "preparation a list": json.dumps(settings(preparation=["size"])),
        "preparation a text": json.dumps(settings(preparation="size")),
        "size 0": inside(size=0),
        "size 10^9": inside(size=10**9),
        "size as text": inside(size="32"),
        "size true": inside(size=True),
        "extent 10^12": inside(extent=10**12),
        "an unknown canvas": inside(canvas="__class__"),
        "an unknown polarity": inside(polarity=["auto"]),
        "crop as text": inside(crop="yes"),
        "__class__": inside(__class__="os.system"),
        "_target_": inside(_target_="os.system"),
        "an unknown step": inside(steps=[["os.system", {"command": "touch owned"}]]),
        "a step of an unknown setting": inside(steps=[["clahe", {"__init__": 1}]]),
        "a step's setting out of its range": inside(steps=[["clahe", {"tiles": 10**9}]]),
        "a step's setting as text": inside(steps=[["clahe", {"clip_limit": "3"}]]),
        "steps a text": inside(steps="clahe"),
        "steps a number": inside(steps=7),
        "a step of a million letters": inside(steps=[["a" * 900_000, {}]]),
        "30,000 steps": inside(steps=[["clahe", {}]] * 30_000),
        "model a number": json.dumps(settings(model=7)),
        "no model": json.dumps(settings(model=None)),
        "model of two lines": json.dumps(settings(model="a\nb")),
        "model of half a character": json.dumps(settings(model="\ud800")),
        "model that turns the text": json.dumps(settings(model="a\u202eb")),
        "model of a million letters": json.dumps(settings(model="x" * 900_000)),
        "precision 4": json.dumps(settings(precision="int4")),
        "temperature 0": json.dumps(settings(temperature=0)),
        "temperature as text": json.dumps(settings(temperature="1")),
        "temperature a list": json.dumps(settings(temperature=[1])),
        "threshold 2": json.dumps(settings(threshold=2)),
        "selection a list": json.dumps(settings(selection=[])),
        "selection a number": json.dumps(settings(selection=0.5)),
        "selection of texts": json.dumps(settings(selection={"coverage": "all"})),
        "scope a list": json.dumps(settings(scope=[1, 2])),
        "scope a text": json.dumps(settings(scope="all")),
        "scope with __class__": json.dumps(settings(scope={"__class__": 1})),
        "scope below zero": json.dumps(settings(scope={"shortest": -1})),
        "scope that the graph does not measure": json.dumps(settings(scope={"distance": 1.0})),
        "training a list": json.dumps(settings(training=["a"])),
        "training a text": json.dumps(settings(training="all")),
        "training with half a character": json.dumps(settings(training={"dataset": "\udc80"})),
        "training with a long text": json.dumps(settings(training={"dataset": "x" * 20_000})),
        "licence a list": json.dumps(settings(licence=["MIT"])),
    }
