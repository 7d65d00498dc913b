import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from conftest import TINY, Run
from safetensors.torch import save_file
from torch import Tensor

from karyo.errors import DataError, KaryoError, SettingsError
from karyo.models.network import ChromosomeNetwork, NetworkSpec
from karyo.models.weights import read_state

RESNET = NetworkSpec("torchvision", "resnet18", 32)
SMALL = NetworkSpec("timm", "test_resnet", 32)

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def published() -> State:
    """A state as torchvision publishes it: 1,000 classes, three colours."""
    torch.manual_seed(1)
    return torchvision.models.resnet18().state_dict()


def sentence(attempt: Callable[[], Any], kind: type[KaryoError] = DataError) -> str:
    with pytest.raises(kind) as caught:
        attempt()
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def write(path: Path, state: State, form: str) -> Path:
    if form == "safetensors":
        save_file(state, path)
    elif form == "state dict":
        torch.save(state, path)
    elif form == "old torch file":
        torch.save(state, path, _use_new_zipfile_serialization=False)
    elif form == "parallel":
        torch.save({f"module.{key}": value for key, value in state.items()}, path)
    elif form == "compiled":
        torch.save({f"_orig_mod.{key}": value for key, value in state.items()}, path)
    elif form == "training script":
        torch.save({"model": state, "epoch": 90, "optimizer": {"lr": 0.1}}, path)
    else:
        torch.save({key: value for key, value in state.items() if "num_batches" not in key}, path)
    return path


FORMS = ("safetensors", "state dict", "old torch file", "parallel", "compiled", "training script", "without counters")


@pytest.mark.parametrize("form", FORMS)
def test_a_local_file_fills_the_backbone_whatever_its_form(published: State, form: str, tmp_path: Path) -> None:
    file = write(tmp_path / "Gewichte Ä.bin", published, form)
    network = ChromosomeNetwork(RESNET, weights=str(file))
    state = network.backbone.state_dict()
    expected = {key: value for key, value in published.items() if not key.startswith("fc.")}
    expected["conv1.weight"] = published["conv1.weight"].sum(1, keepdim=True)
    assert expected.keys() == state.keys()
    assert all(torch.allclose(state[key], value, atol=1e-6) for key, value in expected.items())
    assert network.eval()(torch.zeros(1, 1, 32, 32)).shape == (1, 24)


def test_the_file_is_told_by_its_content_not_by_its_name(published: State, tmp_path: Path) -> None:
    for name, form in (("a.safetensors", "state dict"), ("b.pth", "safetensors")):
        assert read_state(write(tmp_path / name, published, form)).keys() == published.keys()


def test_older_names_of_dense_layers_are_understood(tmp_path: Path) -> None:
    old = {"features.denseblock1.denselayer12.norm.1.weight": torch.zeros(3), "features.norm0.bias": torch.zeros(3)}
    torch.save(old, tmp_path / "densenet.pth")
    assert set(read_state(tmp_path / "densenet.pth")) == {
        "features.denseblock1.denselayer12.norm1.weight",
        "features.norm0.bias",
    }


def lightning_checkpoint(path: Path, spec: NetworkSpec) -> ChromosomeNetwork:
    network = ChromosomeNetwork(spec)
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, path)
    return network


def test_a_checkpoint_of_this_program_gives_everything_that_fits(tmp_path: Path) -> None:
    old = lightning_checkpoint(tmp_path / "old.ckpt", SMALL)
    same = ChromosomeNetwork(SMALL, weights=str(tmp_path / "old.ckpt"))
    assert all(torch.equal(value, same.state_dict()[key]) for key, value in old.state_dict().items())
    spec = NetworkSpec("timm", "test_resnet", 32, head="chu")
    other = ChromosomeNetwork(spec, weights=str(tmp_path / "old.ckpt"))
    backbone = other.backbone.state_dict()
    assert all(torch.equal(value, backbone[key]) for key, value in old.backbone.state_dict().items())


@pytest.mark.parametrize("name", ["resnet34", "resnet50", "mobilenet_v3_small"])
def test_the_weights_of_another_network_are_refused(name: str, tmp_path: Path) -> None:
    torch.save(torchvision.models.get_model(name).state_dict(), tmp_path / "other.pth")
    text = sentence(lambda: ChromosomeNetwork(RESNET, weights=str(tmp_path / "other.pth")))
    assert "not the weights of this network" in text
    assert "other.pth" in text


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    lightning_checkpoint(tmp_path / "three.ckpt", NetworkSpec("timm", "test_resnet", 32, channels=3))
    text = sentence(lambda: ChromosomeNetwork(SMALL, weights=str(tmp_path / "three.ckpt")))
    assert "another shape" in text


class Dangerous:
    """Unpickled, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("kind", ["as a tensor", "beside the tensors", "bare pickle"])
def test_nothing_in_a_file_is_run(kind: str, tmp_path: Path) -> None:
    trap, file = tmp_path / "trap", tmp_path / "weights.pth"
    if kind == "as a tensor":
        torch.save({"w": torch.zeros(1), "x": Dangerous(trap)}, file)
    elif kind == "beside the tensors":
        torch.save({"state_dict": {"w": torch.zeros(1)}, "epoch": Dangerous(trap)}, file)
    else:
        file.write_bytes(pickle.dumps(Dangerous(trap)))
    assert "weights.pth" in sentence(lambda: ChromosomeNetwork(SMALL, weights=str(file)))
    assert not trap.exists()


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 64, b"hello\n", b"PK\x03\x04" + b"x" * 200, b'\x08\0\0\0\0\0\0\0{"a":1}']
)
def test_files_that_hold_no_weights_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    assert "weights.pth" in sentence(lambda: read_state(tmp_path / "weights.pth"))


@pytest.mark.parametrize("content", [{}, [], {"state_dict": {}}, {"a": 1}, {"state_dict": {"a": "b"}}, torch.zeros(2)])
def test_files_that_hold_something_else_are_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pth")
    assert "no state dict" in sentence(lambda: read_state(tmp_path / "weights.pth"))


@pytest.mark.parametrize("form", ["safetensors", "state dict", "old torch file"])
def test_a_truncated_or_damaged_file_never_ends_in_a_traceback(form: str, tmp_path: Path) -> None:
    file = write(tmp_path / "whole", {f"layer{n}.weight": torch.randn(9, 9) for n in range(9)}, form)
    whole = file.read_bytes()
    generator = torch.Generator().manual_seed(0)
    for cut in torch.randint(1, len(whole), (40,), generator=generator).tolist():
        (tmp_path / "cut").write_bytes(whole[:cut])
        sentence(lambda: read_state(tmp_path / "cut"))
    for position in torch.randint(0, min(len(whole), 2000), (150,), generator=generator).tolist():
        (tmp_path / "hit").write_bytes(whole[:position] + bytes([whole[position] ^ 0x5A]) + whole[position + 1 :])
        with suppress(DataError):
            read_state(tmp_path / "hit")


def test_missing_files_and_contradictions_are_settings(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pth"
    assert "no such file" in sentence(lambda: ChromosomeNetwork(SMALL, weights=str(missing)), SettingsError)
    assert "no such file" in sentence(lambda: read_state(tmp_path), SettingsError)
    both = sentence(lambda: ChromosomeNetwork(SMALL, pretrained=True, weights=str(missing)), SettingsError)
    assert "exclude each other" in both


def test_the_command_says_it_in_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "noise.pth").write_bytes(bytes(range(256)))
    for setting, code in (("weights=missing.pth", 2), ("weights=noise.pth", 1)):
        result = run("train", *TINY, setting)
        assert result.code == code
        assert "Traceback" not in result.out + result.err
        assert setting in result.err
