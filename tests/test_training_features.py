"""Averaged weights, mixup, decay of norms, and starting from another run: in runs and in the module that trains."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, Run

from karyo.models.checkpoint import load_checkpoint
from karyo.models.classifier import Classifier
from karyo.models.mixup import Mix, draw_mix
from karyo.models.network import ChromosomeNetwork, NetworkSpec

SMALL = NetworkSpec("timm", "test_resnet", 32)


def classifier(spec: NetworkSpec = SMALL, **settings: Any) -> Classifier:
    torch.manual_seed(0)
    return Classifier(ChromosomeNetwork(spec), optimizer=torch.optim.AdamW, **settings)


def checkpoint(directory: Path, name: str) -> dict[str, Any]:
    return torch.load(directory / f"checkpoints/{name}.ckpt", weights_only=True)


def record(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "summary.json").read_text(encoding="utf-8"))


def interrupt(directory: Path) -> None:
    """Make a finished run one that was stopped before it was measured."""
    stopped = record(directory) | {"status": "interrupted"}
    (directory / "summary.json").write_text(json.dumps(stopped), encoding="utf-8")


def test_averages_follow_the_weights_and_forget_the_first_ones_soon() -> None:
    module = classifier(average=0.9)
    assert module.averaged is not None
    averaged = module.averaged.module
    weight, mean = module.network.head[-1].weight, module.network.pixel_mean.clone()
    expected = None
    for step in range(120):
        weight.data.fill_(float(step))
        module.averaged.update_parameters(module.network)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = float(step) if expected is None else decay * expected + (1 - decay) * step
        assert torch.allclose(averaged.head[-1].weight, torch.tensor(expected), rtol=1e-4)
    # Never changed, so the same to the last bit.
    assert torch.equal(averaged.pixel_mean, mean)
    assert not any(parameter.requires_grad for parameter in averaged.parameters())


def test_averages_take_the_statistics_of_batch_normalisation_along() -> None:
    module = classifier(average=0.5)
    norms = [m for m in module.network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    copies = [m for m in module.averaged.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    module.averaged.update_parameters(module.network)
    for norm in norms:
        norm.running_mean.fill_(1.0)
    module.averaged.update_parameters(module.network)
    assert all(0.4 < float(copy.running_mean.mean()) < 1 for copy in copies)


def test_a_run_validates_keeps_and_measures_the_averaged_weights(run: Run) -> None:
    result = run("train", *TINY, "average=0.99", "epochs=1")
    assert result.code == 0, result.err
    best, last = checkpoint(result.directory, "best")["state_dict"], checkpoint(result.directory, "last")["state_dict"]
    assert {key.partition(".")[0] for key in best} == {"network"}
    assert all(torch.equal(value, last[key]) for key, value in best.items())
    weights = [key.removeprefix("network.") for key in best if key.endswith("conv1.weight")]
    assert any(not torch.equal(last[f"network.{key}"], last[f"trained.{key}"]) for key in weights)
    assert int(last["averaged.n_averaged"]) == checkpoint(result.directory, "last")["global_step"]
    trained = load_checkpoint(result.directory / "checkpoints/best.ckpt")
    assert all(torch.equal(value, best[f"network.{key}"]) for key, value in trained.network.state_dict().items())


def test_the_average_takes_a_step_when_the_optimizer_does(run: Run) -> None:
    result = run("train", *TINY, "average=0.9", "epochs=1", "trainer.accumulate_grad_batches=2")
    assert result.code == 0, result.err
    last = checkpoint(result.directory, "last")
    assert int(last["state_dict"]["averaged.n_averaged"]) == last["global_step"] < 4


def test_a_stopped_run_with_average_and_mixup_ends_as_an_unbroken_one(run: Run, monkeypatch: Any) -> None:
    settings = (*TINY, "epochs=4", "average=0.9", "mixup=0.4", "decay_norms=false", "augmentation=warps")
    unbroken = run("train", *settings)
    assert unbroken.code == 0, unbroken.err
    ended = Classifier.on_train_epoch_start

    def stops(self: Classifier) -> None:
        if self.current_epoch == 2:
            raise KeyboardInterrupt
        ended(self)

    with monkeypatch.context() as patched:
        patched.setattr(Classifier, "on_train_epoch_start", stops)
        broken = run("train", *settings, "hydra.run.dir=logs/broken")
    assert broken.code == 130
    directory = Path("logs/broken")
    assert checkpoint(directory, "last")["epoch"] == 1
    resumed = run("train", f"resume={directory}")
    assert resumed.code == 0, resumed.err
    for name in ("best", "last"):
        expected, found = (checkpoint(place, name)["state_dict"] for place in (unbroken.directory, directory))
        assert expected.keys() == found.keys()
        assert all(torch.equal(value, found[key]) for key, value in expected.items())
    assert record(directory)["test"] == record(unbroken.directory)["test"]


def test_mixes_are_drawn_from_the_batchs_place_alone() -> None:
    places = [(0, epoch, batch, 0) for epoch in range(20) for batch in range(20)]
    mixes = [draw_mix(0.4, 8, place) for place in places]
    torch.manual_seed(7)
    again = [draw_mix(0.4, 8, place) for place in places]
    drawn = [mix for mix in mixes if mix is not None]
    assert 150 < len(drawn) < 250
    assert all(0.5 <= mix.share <= 1 for mix in drawn)
    assert len({mix.share for mix in drawn}) == len(drawn)
    assert [mix and mix.share for mix in mixes] == [mix and mix.share for mix in again]
    assert draw_mix(0.0, 8, (0,)) is None


def test_mixed_images_and_losses_are_those_of_mixed_targets() -> None:
    mix = Mix(0.75, torch.tensor([1, 2, 0]))
    images = torch.tensor([0, 100, 200], dtype=torch.uint8).view(3, 1, 1, 1)
    assert mix.images(images).flatten().tolist() == [25.0, 125.0, 150.0]
    logits, labels = torch.randn(3, 24), torch.tensor([3, 5, 23])
    loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    hot = torch.nn.functional.one_hot(labels, 24).float()
    soft = 0.75 * hot + 0.25 * hot[mix.partners]
    assert torch.allclose(mix.loss(loss, logits, labels), loss(logits, soft), atol=1e-6)


@pytest.mark.slow
def test_mixup_reaches_the_auxiliary_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its loss is against the mixed labels as well: with them it is another number."""
    module = classifier(NetworkSpec("torchvision", "inception_v3", 80), mixup=1.0, auxiliary_weight=1.0)
    monkeypatch.setattr(Classifier, "log", lambda *_, **__: None)
    auxiliary = torch.randn(4, 24)
    monkeypatch.setattr(ChromosomeNetwork, "forward_training", lambda self, x: (torch.zeros(4, 24), auxiliary))
    mix = Mix(0.6, torch.tensor([1, 2, 3, 0]))
    monkeypatch.setattr("karyo.models.classifier.draw_mix", lambda *_: mix)
    labels = torch.tensor([0, 1, 2, 3])
    found = module.training_step((torch.zeros(4, 1, 80, 80, dtype=torch.uint8), labels, labels), 0)
    plain = module.loss(torch.zeros(4, 24), labels)
    assert torch.allclose(found, plain + mix.loss(module.loss, auxiliary, labels), atol=1e-5)


def groups(module: Classifier) -> list[dict[str, Any]]:
    optimizer = module.configure_optimizers()
    assert isinstance(optimizer, torch.optim.Optimizer)
    return optimizer.param_groups


def test_norms_and_biases_can_be_kept_from_decay() -> None:
    (whole,) = groups(classifier(average=0.9))
    wide, narrow = groups(classifier(decay_norms=False))
    assert wide["weight_decay"] == whole["weight_decay"] > 0 == narrow["weight_decay"]
    assert all(weight.ndim > 1 for weight in wide["params"])
    assert all(weight.ndim == 1 for weight in narrow["params"])
    # The average is not trained.
    assert len(whole["params"]) == len(wide["params"]) + len(narrow["params"])
    assert len(whole["params"]) == len(list(classifier().network.parameters()))


@pytest.mark.parametrize(
    "setting", ["average=1", "average=0", "mixup=-0.1", "mixup=much", "decay_norms=1", "average=yes"]
)
def test_values_that_cannot_be_meant(run: Run, setting: str) -> None:
    result = run("train", *TINY, setting)
    assert result.code == 2
    assert result.err.startswith(f"Error: {setting.partition('=')[0]}=")
    assert result.err.count("\n") == 1


def test_weights_may_be_the_directory_of_a_run(run: Run) -> None:
    first = run("train", *TINY, "epochs=1").directory
    recipe = ("experiment=adapt", "data=synthetic", "preprocessing=none", "canvas=stretch")
    result = run("train", *TINY, *recipe, f"weights={first}", "lr=1e-12", "average=null")
    assert result.code == 0, result.err
    assert "learned in another way" not in result.out + result.err
    theirs, ours = (checkpoint(place, "best")["state_dict"] for place in (first, result.directory))
    key = next(key for key in theirs if key.startswith("network.head") and key.endswith("weight"))
    assert torch.allclose(theirs[key], ours[key], atol=1e-6)


def test_weights_of_other_input_are_told(run: Run) -> None:
    first = run("train", *TINY, "epochs=1").directory
    other = ("canvas=letterbox", "image_size=40", "normalisation=unit", "epochs=1")
    result = run("train", *TINY, f"weights={first}", *other)
    assert result.code == 0, result.err
    said = result.out + result.err
    for words in ("canvas=stretch", "image_size=32", "normalisation=statistics"):
        assert words in said
    assert said.count("learned in another way") == 1


def test_a_recipe_that_needs_weights_says_so_before_it_looks_for_images(run: Run, tmp_path: Path) -> None:
    result = run("train", "experiment=adapt", "data.root=nowhere")
    assert (result.code, result.err) == (2, "Error: weights=RUN_OR_FILE: there is no such file.\n")
    empty = tmp_path / "no run"
    empty.mkdir()
    result = run("train", *TINY, f"weights={empty}")
    assert result.code == 2
    assert "no such file and no run with checkpoints/best.ckpt" in result.err
