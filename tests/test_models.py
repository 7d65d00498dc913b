import copy
import json
import pickle
from collections.abc import Callable

import pytest
import timm
import torch
import torchvision
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.nn import functional

from karyo.errors import SettingsError
from karyo.models.backbones import BackboneSpec, build_library_network, native_size, strip
from karyo.models.heads import HEADS, GlobalAverage, chu_head, linear_head
from karyo.models.network import ChromosomeNetwork, NetworkSpec
from karyo.training.fit import build_network
from karyo.training.locations import configuration_folder, register_resolvers
from karyo.training.settings import input_size

slow = pytest.mark.slow


@pytest.fixture(scope="module")
def inception() -> ChromosomeNetwork:
    return ChromosomeNetwork(NetworkSpec("torchvision", "inception_v3", 75))


def composed(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(configuration_folder()), version_base="1.3"):
        return compose("train", list(overrides))


def images(size: int, channels: int = 1, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=generator)


def learns_something(network: ChromosomeNetwork, size: int, channels: int) -> bool:
    """One forward and backward pass: whether every parameter of the network gets a finite gradient."""
    logits, auxiliary = network.train().forward_training(images(size, channels))
    assert logits.shape == (2, 24)
    labels = torch.tensor([0, 23])
    loss = functional.cross_entropy(logits, labels)
    if auxiliary is not None:
        loss = loss + functional.cross_entropy(auxiliary, labels)
    loss.backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    return all(gradient is not None and bool(gradient.isfinite().all()) for gradient in gradients)


@pytest.mark.parametrize("channels", [1, pytest.param(3, marks=slow)])
@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("resnet18", None),
        ("resnet18_half", None),
        ("resnet50", None),
        pytest.param("vgg16", None, marks=slow),
        pytest.param("inception_v3", None, marks=slow),
        pytest.param("inception_v3_chu", None, marks=slow),
        pytest.param("inception_resnet_v2", None, marks=slow),
        ("timm", "test_vit2"),
        ("torchvision", "shufflenet_v2_x0_5"),
    ],
)
def test_every_shipped_model_is_composed_and_learns(model: str, name: str | None, channels: int) -> None:
    size = 80 if model != "timm" else 96
    more = [f"model.name={name}"] if name else []
    config = composed(f"model={model}", f"image_size={size}", f"channels={channels}", *more)
    network = build_network(config, input_size(config))
    assert learns_something(network, size, channels)
    assert network.eval()(images(size, channels, 1)).shape == (1, 24)


def test_there_is_a_test_for_every_shipped_model() -> None:
    shipped = {path.stem for path in (configuration_folder() / "model").glob("*.yaml")}
    matrix = test_every_shipped_model_is_composed_and_learns.pytestmark[0].args[1]
    tested = {getattr(entry, "values", entry)[0] for entry in matrix}
    assert shipped == tested


@pytest.mark.parametrize(
    ("model", "size"),
    [("resnet18", 224), ("vgg16", 224), ("inception_v3_chu", 299), ("inception_resnet_v2", 299)],
)
def test_the_input_size_follows_the_model_unless_it_is_set(model: str, size: int) -> None:
    assert input_size(composed(f"model={model}", "image_size=null")) == size
    assert input_size(composed(f"model={model}", "image_size=96")) == 96


@pytest.mark.parametrize(
    ("library", "name", "size"),
    [
        ("torchvision", "googlenet", 64),
        pytest.param("torchvision", "mnasnet0_5", 64, marks=slow),
        pytest.param("torchvision", "mobilenet_v3_small", 64, marks=slow),
        ("timm", "test_efficientnet", 64),
        ("timm", "test_convnext", 64),
        ("timm", "test_vit", 160),
        ("timm", "test_vit", 48),
        pytest.param("torchvision", "densenet121", 64, marks=slow),
        pytest.param("torchvision", "efficientnet_b0", 64, marks=slow),
        pytest.param("torchvision", "convnext_tiny", 64, marks=slow),
        pytest.param("torchvision", "vit_b_16", 224, marks=slow),
        pytest.param("torchvision", "swin_t", 64, marks=slow),
        pytest.param("torchvision", "regnet_x_400mf", 64, marks=slow),
        pytest.param("torchvision", "alexnet", 64, marks=slow),
        pytest.param("timm", "resnet18.tv_in1k", 64, marks=slow),
        pytest.param("timm", "swin_tiny_patch4_window7_224", 64, marks=slow),
        pytest.param("timm", "crossvit_9_240", 240, marks=slow),
    ],
)
@pytest.mark.parametrize("head", ["linear", "chu"])
def test_any_other_network_by_name_learns(library: str, name: str, size: int, head: str) -> None:
    network = ChromosomeNetwork(NetworkSpec(library, name, size, head=head))
    assert learns_something(network, size, 1)


@pytest.mark.parametrize(
    ("library", "name", "size"),
    [
        ("torchvision", "resnet18", 64),
        ("torchvision", "mobilenet_v3_small", 64),
        ("timm", "test_resnet", 64),
        ("timm", "test_efficientnet", 64),
        ("timm", "test_convnext", 64),
        ("timm", "test_vit", 160),
        ("timm", "test_nfnet", 64),  # its convolutions standardise their filters
        ("timm", "tf_mobilenetv3_small_minimal_100", 63),  # pads by itself, unevenly for an odd size
        ("timm", "fastvit_t8", 64),  # two convolutions side by side see the image
        pytest.param("torchvision", "vit_b_16", 224, marks=slow),
        pytest.param("torchvision", "convnext_tiny", 64, marks=slow),
        pytest.param("torchvision", "inception_v3", 75, marks=slow),
        pytest.param("timm", "tresnet_m", 64, marks=slow),  # rearranges the image before any convolution
        pytest.param("timm", "resnetv2_50x1_bit", 64, marks=slow),
        pytest.param("timm", "crossvit_9_240", 240, marks=slow),
        pytest.param("timm", "inception_resnet_v2", 80, marks=slow),
    ],
)
def test_one_grey_channel_gives_what_three_equal_ones_gave(library: str, name: str, size: int) -> None:
    torch.manual_seed(0)
    original = build_library_network(BackboneSpec(library, name, 3, size))
    three = strip(copy.deepcopy(original), BackboneSpec(library, name, 3, size)).eval()
    one = strip(original, BackboneSpec(library, name, 1, size)).eval()
    grey = torch.randn(2, 1, size, size)
    with torch.inference_mode():
        expected = three(grey.expand(-1, 3, -1, -1))
        torch.testing.assert_close(one(grey), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert float(expected.std()) > 0


def test_the_filters_are_summed_as_timm_sums_them() -> None:
    network = timm.create_model("test_resnet")
    expected = timm.models.adapt_input_conv(1, network.conv1[0].weight.detach().clone())
    summed = strip(network, BackboneSpec("timm", "test_resnet", 1, 64)).conv1[0]
    assert summed.in_channels == 1
    torch.testing.assert_close(summed.weight.detach(), expected)


def test_a_first_convolution_keeps_everything_but_its_channels() -> None:
    network = torchvision.models.resnet18()
    network.conv1 = nn.Conv2d(3, 64, 7, 2, 3, padding_mode="reflect", bias=True, dtype=torch.float64)
    bias = network.conv1.bias.detach().clone()
    summed = strip(network, BackboneSpec("torchvision", "resnet18", 1, 64)).conv1
    assert (summed.padding_mode, summed.weight.dtype, summed.weight.shape) == ("reflect", torch.float64, (64, 1, 7, 7))
    assert torch.equal(summed.bias, bias)
    assert summed.weight.requires_grad


@pytest.mark.parametrize(
    ("library", "name", "classifier"),
    [
        ("torchvision", "resnet18", "fc"),
        ("torchvision", "mobilenet_v3_small", "classifier.3"),
        ("torchvision", "inception_v3", "fc"),
        ("timm", "test_resnet", "fc"),
    ],
)
def test_the_backbone_with_its_old_classifier_is_the_library_network(library: str, name: str, classifier: str) -> None:
    torch.manual_seed(0)
    network = build_library_network(BackboneSpec(library, name, 3, 80)).eval()
    dense = copy.deepcopy(network.get_submodule(classifier))
    colour = torch.randn(2, 3, 80, 80)
    with torch.inference_mode():
        expected = network(colour)
        backbone = strip(network, BackboneSpec(library, name, 3, 80))
        torch.testing.assert_close(dense(GlobalAverage()(backbone(colour))), expected, rtol=1e-4, atol=1e-5)


def test_pixels_are_normalised_by_the_numbers_that_travel_with_the_weights() -> None:
    network = ChromosomeNetwork(NetworkSpec("timm", "test_resnet", 32)).eval()
    network.set_pixel_statistics(0.25, 0.0)
    assert float(network.pixel_std) == pytest.approx(1 / 255)
    network.set_pixel_statistics(0.25, 0.5)
    other = copy.deepcopy(network)
    other.set_pixel_statistics(0.0, 0.25)
    picture = torch.full((1, 1, 32, 32), 51.0)
    # (v / 255 - 0.25) / 0.5 equals (w / 255) / 0.25 for w = v / 2 - 0.125 * 255
    torch.testing.assert_close(network(picture * 3), other(picture * 3 / 2 - 0.125 * 255))
    state = network.state_dict()
    assert {float(state["pixel_mean"]), float(state["pixel_std"])} == {0.25, 0.5}


# Heads


def kinds(head: nn.Module) -> list[type]:
    return [type(layer) for layer in head.children()]


def test_the_head_of_the_thesis_is_built_as_it_says() -> None:
    head = chu_head(512, 24, dropout=0.5)
    assert kinds(head) == [nn.Dropout, GlobalAverage, nn.Linear, nn.BatchNorm1d, nn.Dropout, nn.Linear]
    assert [layer.p for layer in head.children() if isinstance(layer, nn.Dropout)] == [0.5, 0.5]
    assert [layer.out_features for layer in head.children() if isinstance(layer, nn.Linear)] == [256, 24]
    assert kinds(chu_head(512, 24, relu=True))[2:4] == [nn.Linear, nn.ReLU]
    assert kinds(linear_head(512, 24)) == [GlobalAverage, nn.Dropout, nn.Linear]


@pytest.mark.parametrize(("model", "rate", "relu"), [("vgg16", 0.2, True), ("inception_v3_chu", 0.5, False)])
def test_the_shipped_models_have_the_rates_of_the_thesis(model: str, rate: float, relu: bool) -> None:
    spec = composed(f"model={model}").model.spec
    head = HEADS[spec.head](8, 24, **spec.head_options)
    assert [layer.p for layer in head.children() if isinstance(layer, nn.Dropout)] == [rate, rate]
    assert (nn.ReLU in kinds(head)) is relu


def test_dropout_before_pooling_acts_on_positions_not_on_channels() -> None:
    torch.manual_seed(0)
    head = chu_head(64, 24, dropout=0.5).train()
    pooled = nn.Sequential(*list(head.children())[:2])(torch.ones(4, 64, 6, 6))
    assert 0.9 < float(pooled.mean()) < 1.1
    assert float(pooled.min()) > 0.3  # a whole channel dropped would be 0


@pytest.mark.parametrize("shape", [(2, 8), (2, 8, 9), (2, 8, 3, 3)])
def test_heads_take_vectors_sequences_and_maps(shape: tuple[int, ...]) -> None:
    features = torch.randn(shape)
    pooled = features if len(shape) == 2 else features.reshape(2, 8, 9).mean(2)
    torch.testing.assert_close(GlobalAverage()(features), pooled)
    for build in HEADS.values():
        assert build(8, 5)(features).shape == (2, 5)


# InceptionV3's auxiliary classifier


@pytest.mark.parametrize("size", [75, pytest.param(96, marks=slow), pytest.param(299, marks=slow)])
def test_the_auxiliary_classifier_works_at_any_size_and_teaches_the_lower_stages(
    inception: ChromosomeNetwork, size: int
) -> None:
    network = copy.deepcopy(inception).train()
    logits, auxiliary = network.forward_training(images(size))
    assert logits.shape == auxiliary.shape == (2, 24)
    auxiliary.square().sum().backward()
    taught = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert "backbone.network.Conv2d_1a_3x3.conv.weight" in taught
    assert any(name.startswith("auxiliary.") for name in taught)
    assert not any(name.startswith(("head.", "backbone.network.Mixed_7")) for name in taught)


def test_the_auxiliary_classifier_plays_no_part_in_the_answer(inception: ChromosomeNetwork) -> None:
    network = copy.deepcopy(inception).eval()
    before = network(images(75))
    nn.init.constant_(network.auxiliary.layers[-1].weight, float("nan"))
    torch.testing.assert_close(network(images(75)), before)


def test_networks_without_an_auxiliary_classifier_give_none() -> None:
    network = ChromosomeNetwork(NetworkSpec("timm", "test_resnet", 32))
    assert network.forward_training(images(32))[1] is None


@pytest.mark.parametrize("again", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_copy_of_the_network_stands_on_its_own(
    inception: ChromosomeNetwork, again: Callable[[nn.Module], ChromosomeNetwork]
) -> None:
    network = inception.train()
    if again is copy.deepcopy:
        network.forward_training(images(75))  # a pass forward leaves nothing behind that could not be copied
    twin = again(network)
    logits, auxiliary = twin.forward_training(images(75))
    (logits.sum() + auxiliary.sum()).backward()
    assert all(parameter.grad is not None for parameter in twin.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_network_that_repeats_its_channel_can_be_pickled() -> None:
    network = ChromosomeNetwork(NetworkSpec("timm", "test_nfnet", 64)).eval()
    torch.testing.assert_close(pickle.loads(pickle.dumps(network))(images(64)), network(images(64)))


# What cannot be meant


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (NetworkSpec("torchvision", "resnet81", 64), "did you mean resnet18"),
        (NetworkSpec("timm", "efficientnet_bo", 64), "efficientnet_b0"),
        (NetworkSpec("timm", "resnet18.tv_in2k", 64), "resnet18.tv_in1k"),
        (NetworkSpec("timm", "hf-hub:someone/something", 64), "no network of timm"),
        (NetworkSpec("torchvision", "qqqqqqqq", 64), "torchvision lists them"),
        (NetworkSpec("torchvision", "raft_small", 64), "no network of torchvision"),
        (NetworkSpec("keras", "resnet18", 64), "torchvision or timm"),
        (NetworkSpec("torchvision", "squeezenet1_1", 64), "no dense classifier"),
        (NetworkSpec("torchvision", "inception_v3", 74), "designed for 299 px"),
        (NetworkSpec("timm", "test_convnext", 8), "designed for 160 px"),
        (NetworkSpec("timm", "test_vit", 75), "designed for 160 px"),
        (NetworkSpec("timm", "test_vit", 1), "designed for 160 px"),
        (NetworkSpec("timm", "levit_128s", 75), "designed for 224 px"),
        (NetworkSpec("torchvision", "resnet18", 0), "above 0"),
        (NetworkSpec("torchvision", "resnet18", 64, channels=2), "1 (grey) or 3"),
        (NetworkSpec("torchvision", "resnet18", 64, head="dense"), "linear or chu"),
        (NetworkSpec("timm", "test_resnet", 64, head_options={"droput": 0.5}), "head_options"),
        (NetworkSpec("timm", "resnet18", 64, options={"chanels": [8, 8, 8, 8]}), "model.spec.options={'chanels'"),
        (NetworkSpec("torchvision", "resnet18", 64, options={"width": 2}), "model.spec.options={'width'"),
        (NetworkSpec("timm", "test_resnet", 64, head_options={"dropout": 1.5}), "head_options"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_sentence(spec: NetworkSpec, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        ChromosomeNetwork(spec)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_half_the_channels_are_a_quarter_of_the_weights_and_come_back_from_primitives() -> None:
    config = composed("model=resnet18_half", "image_size=64")
    half, whole = build_network(config, 64), build_network(composed("model=resnet18", "image_size=64"), 64)
    sizes = [sum(parameter.numel() for parameter in network.parameters()) for network in (half, whole)]
    assert sizes[0] == pytest.approx(sizes[1] / 4, rel=0.02)
    again = ChromosomeNetwork(NetworkSpec(**json.loads(json.dumps(half.spec.to_dict()))))
    again.load_state_dict(half.state_dict())
    assert torch.equal(again.eval()(images(64)), half.eval()(images(64)))


def test_native_sizes() -> None:
    sizes = {
        (library, name): native_size(library, name)
        for library, name in [
            ("torchvision", "resnet18"),
            ("torchvision", "inception_v3"),
            ("torchvision", "efficientnet_b3"),
            ("timm", "inception_resnet_v2"),
            ("timm", "test_resnet"),
        ]
    }
    assert list(sizes.values()) == [224, 299, 300, 299, 160]
    with pytest.raises(SettingsError, match="did you mean"):
        native_size("timm", "resnet_18")
