"""Learning from other networks' answers besides the labels: what is learned, by whom, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, Result, Run
from copied_runs import change_checkpoint, exchange, other_network, refused
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from karyo.identity import setting_key, settings_of_config
from karyo.models.classifier import Classifier
from karyo.models.distillation import Distillation
from karyo.models.ensemble import Ensemble
from karyo.models.mixup import Mix
from karyo.models.network import ChromosomeNetwork, NetworkSpec
from karyo.training.identity import deciding_settings
from karyo.training.locations import configuration_folder, register_resolvers

pytestmark = pytest.mark.usefixtures("blank_figures")
SMALL = NetworkSpec("timm", "test_resnet", 32)
QUICK = (*TINY, "logger=none", "by_cell=false")


def network(seed: int) -> ChromosomeNetwork:
    torch.manual_seed(seed)
    made = ChromosomeNetwork(SMALL)
    torch.nn.init.normal_(made.head[-1].weight, std=1.0)
    return made


def checkpoint(directory: Path, name: str) -> dict[str, Any]:
    return torch.load(directory / f"checkpoints/{name}.ckpt", weights_only=True)


def record(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "summary.json").read_text(encoding="utf-8"))


@pytest.fixture
def teachers(finished: Result, tmp_path: Path) -> list[Path]:
    assert finished.directory is not None
    return [finished.directory, other_network(finished.directory, tmp_path / "another teacher")]


def test_the_loss_is_hintons_and_vanishes_where_both_agree() -> None:
    teachers = Ensemble([network(0), network(1)])
    distillation = Distillation(teachers, temperature=3.0, weight=0.7)
    images = torch.randint(0, 256, (4, 1, 32, 32), dtype=torch.uint8)
    answers = distillation.answers(images)
    assert not answers.requires_grad
    with torch.no_grad():
        soft = torch.stack([(each.eval()(images) / 3).softmax(dim=1) for each in teachers.networks]).mean(dim=0)
    assert torch.allclose(answers.exp(), soft, atol=1e-6)
    logits = torch.randn(4, 24)
    own = (logits / 3).log_softmax(dim=1)
    expected = 9 * (soft * (soft.log() - own)).sum(dim=1).mean()
    assert torch.allclose(distillation.loss(logits, answers), expected, rtol=1e-4)
    assert float(distillation.loss(3 * answers + 5, answers)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("mixed", [False, True])
def test_a_step_weighs_labels_and_teachers_who_see_the_very_images(
    monkeypatch: pytest.MonkeyPatch, mixed: bool
) -> None:
    monkeypatch.setattr(Classifier, "log", lambda *_, **__: None)
    distillation = Distillation(Ensemble([network(0)]), temperature=2.0, weight=0.25)
    module = Classifier(network(1), optimizer=torch.optim.AdamW, mixup=1.0, distillation=distillation)
    mix = Mix(0.6, torch.tensor([1, 2, 3, 0])) if mixed else None
    monkeypatch.setattr("karyo.models.classifier.draw_mix", lambda *_: mix)
    module.train()
    images, labels = torch.randint(0, 256, (4, 1, 32, 32), dtype=torch.uint8), torch.tensor([0, 5, 9, 23])
    seen = mix.images(images) if mix else images
    found = module.training_step((images, labels, labels), 0)
    logits = module.network(seen)  # by the batch's own statistics, as in the step
    plain = mix.loss(module.loss, logits, labels) if mix else module.loss(logits, labels)
    with torch.no_grad():
        teacher = (network(0).eval()(seen) / 2).log_softmax(dim=1)
    expected = 0.75 * plain + 0.25 * distillation.loss(logits, teacher)
    assert torch.allclose(found, expected, rtol=1e-4)
    assert not distillation.teachers.training
    found.backward()
    assert all(weight.grad is None for weight in distillation.teachers.parameters())
    assert not any("teachers" in name for name in module.state_dict())


def test_a_run_learns_from_teachers_and_resumes_as_if_unbroken(
    run: Run, teachers: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (*QUICK, f"teachers=[{teachers[0]},{teachers[1]}]", "epochs=3", "mixup=0.4", "average=0.9")
    unbroken = run("train", *settings)
    assert unbroken.code == 0, unbroken.err
    started = Classifier.on_train_epoch_start

    def stops(self: Classifier) -> None:
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        started(self)

    with monkeypatch.context() as patched:
        patched.setattr(Classifier, "on_train_epoch_start", stops)
        assert run("train", *settings, "hydra.run.dir=logs/broken").code == 130
    directory = Path("logs/broken")
    exchanged = run("train", f"resume={directory}", f"teachers={teachers[0]}")
    assert (exchanged.code, exchanged.err.count("\n")) == (1, 1)
    assert "not the teachers" in exchanged.err
    moved = teachers[1].rename(teachers[1].with_name("moved"))
    resumed = run("train", f"resume={directory}", f"teachers=[{teachers[0]},{moved}]")
    assert resumed.code == 0, resumed.err
    for name in ("best", "last"):
        expected, found = (checkpoint(place, name)["state_dict"] for place in (unbroken.directory, directory))
        assert all(torch.equal(value, found[key]) for key, value in expected.items())
    best = checkpoint(directory, "best")["state_dict"]
    assert best.keys() == checkpoint(teachers[0], "best")["state_dict"].keys()
    assert len(record(directory)["teachers"]) == 2


def test_labels_are_left_out_where_only_teachers_count(run: Run, teachers: list[Path]) -> None:
    """What is learned then is another thing, and so is what half of each teaches."""
    ends = []
    for weight in ("0", "1"):
        result = run("train", *QUICK, f"teachers={teachers[0]}", f"distillation.weight={weight}", "epochs=1")
        assert result.code == 0, result.err
        ends.append(checkpoint(result.directory, "last")["state_dict"]["network.head.2.weight"])
    plain = run("train", *QUICK, "epochs=1")
    alone = checkpoint(plain.directory, "last")["state_dict"]["network.head.2.weight"]
    assert torch.equal(ends[0], alone)
    assert not torch.equal(ends[1], alone)


@pytest.mark.parametrize(
    ("theirs", "ours", "did"),
    [
        ("train", "test", "learned from 3 images of this run's test side"),
        ("train", "validation", "learned from 3 images of this run's validation side"),
        ("validation", "test", "was chosen by 3 images of this run's test side"),
    ],
)
def test_teachers_that_know_what_the_run_is_measured_on(
    run: Run, teachers: list[Path], theirs: str, ours: str, did: str
) -> None:
    exchange(teachers[1], theirs, ours)
    refused(run("train", *QUICK, f"teachers=[{teachers[0]},{teachers[1]}]"), "another teacher", did)


def test_teachers_that_cannot_teach(run: Run, teachers: list[Path], tmp_path: Path) -> None:
    one = f"teachers={teachers[1]}"
    refused(run("train", *QUICK, "teachers=nowhere"), "nowhere")
    refused(run("train", *QUICK, f"teachers=[{teachers[0]},{teachers[0]}]"), "twice")
    refused(run("train", *QUICK, one, "canvas=letterbox"), "another teacher", "canvas is letterbox and stretch")
    refused(run("train", *QUICK, one, "data.source.cells=7"), "other images")
    refused(run("train", *QUICK, one, "distillation.weight=2"), "distillation.weight=2")
    refused(run("train", *QUICK, one, "distillation.temperature=0"), "distillation.temperature=0")
    refused(run("train", *QUICK, "teachers=7"), "teachers=7")
    (teachers[1] / "split.json").unlink()
    refused(run("train", *QUICK, one), "split.json", "missing")
    change_checkpoint(teachers[1], lambda content: content["karyo"].update(classes=["cat"]))
    refused(run("train", *QUICK, one), "classes")


def settings_of(*overrides: str) -> dict[str, Any]:
    register_resolvers()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(configuration_folder()), version_base="1.3"):
        return deciding_settings(compose("train", list(overrides)))


def test_a_teacher_is_what_it_knows_wherever_it_lies(teachers: list[Path], tmp_path: Path) -> None:
    plain = settings_of()
    assert not any("teachers" in name or "distillation" in name for name in plain)
    assert plain == settings_of("distillation.weight=0.1")
    copy = Path(shutil.copytree(teachers[0], tmp_path / "copy"))
    taught = settings_of(f"teachers=['{teachers[0]}']")
    assert taught == settings_of(f"teachers='{copy}'")
    assert "distillation.weight" in taught
    assert taught != settings_of(f"teachers=['{teachers[1]}']")
    assert taught != settings_of(f"teachers='{copy}'", "distillation.temperature=5")
    own = [{"data": {"fold": fold}, "teachers": [f"cv/data.fold-{fold}/", "of all"]} for fold in (1, 12)]
    assert len({setting_key(settings_of_config(config)) for config in own}) == 1
    assert setting_key(settings_of_config(own[0] | {"teachers": ["cv/data.fold-12/"]})) != setting_key(
        settings_of_config(own[0] | {"teachers": ["cv/data.fold-1/"]})
    )
    both = [settings_of(f"teachers=['{a}','{b}']") for a, b in (teachers, teachers[::-1])]
    assert both[0] == both[1] != taught
