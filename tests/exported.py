"""A small exported model for the tests of whatever uses one: made in seconds, once a process."""

from functools import cache
from pathlib import Path
from typing import Any

SIZE = 32


def tiny_model(folder: Path, name: str = "chromosome.onnx", **passport: Any) -> Path:
    """Write an exported model that is right about most images of ``SyntheticSource(cells=4)``, and always the same.

    Args:
        folder: Where to write it; it must exist.
        name: Of the file.
        passport: Fields of :class:`~karyo.inference.passport.Passport` in place of the default ones.

    Returns:
        The file: a timm ``test_resnet`` for 32 px, threshold 0.
    """
    import onnx

    from karyo import __version__
    from karyo.exporting.onnx_file import write_onnx
    from karyo.imaging.preparation import Preparation
    from karyo.inference.passport import Passport

    training = {"dataset": "drawn", "images": 368, "validation": {"accuracy": 0.5, "loss": 1.5}}
    fields = {"model": "test_resnet", "preparation": Preparation(SIZE), "karyo": __version__, "training": training}
    write_onnx(onnx.load_from_string(_tiny_graph()), Passport(**(fields | passport)), folder / name)
    return folder / name


@cache
def _tiny_graph() -> bytes:
    import torch

    from karyo.data.synthetic import SyntheticSource
    from karyo.exporting.graph import ExportedGraph
    from karyo.exporting.onnx_file import to_onnx
    from karyo.imaging.preparation import Preparation
    from karyo.models.network import ChromosomeNetwork, NetworkSpec

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ChromosomeNetwork(NetworkSpec("timm", "test_resnet", SIZE)).eval()
    source, prepare = SyntheticSource(cells=4), Preparation(SIZE)
    pixels = torch.stack([torch.from_numpy(prepare(source.read(record))) for record in source.records])
    truth = torch.nn.functional.one_hot(torch.tensor([record.label for record in source.records]), 24).float()
    graph = ExportedGraph(network)
    with torch.no_grad():
        features = graph(pixels[:, None])[1]
        # Ridge regression from random features to the classes: right about drawn chromosomes more often than not.
        centre, spread = features.mean(0), features.std(0) + 1e-6
        scaled = (features - centre) / spread
        weight = (
            torch.linalg.solve(scaled.T @ scaled + torch.eye(scaled.shape[1]), scaled.T @ (12 * truth))
            / spread[:, None]
        )
        head = graph.network.head[-1]
        head.weight.copy_(weight.T)
        head.bias.copy_(-centre @ weight)
    return to_onnx(graph).SerializeToString()
