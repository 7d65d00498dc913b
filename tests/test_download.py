"""Pretrained weights, downloaded from a server of the test's own."""

import hashlib
import pickle
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
import torchvision
from conftest import TINY, Run
from safetensors.torch import save_file
from test_weights import Dangerous, State, sentence

from karyo.errors import SettingsError
from karyo.models.backbones import BackboneSpec, build_library_network
from karyo.models.network import ChromosomeNetwork, NetworkSpec
from karyo.models.weights import download_state

SHUFFLENET = BackboneSpec("torchvision", "shufflenet_v2_x0_5", 3, 64)
TIMM = BackboneSpec("timm", "test_resnet", 3, 64)


@dataclass
class Server:
    """Files by their path, and what was asked for; `headers` go out with each."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            content = state.files.get(self.path)
            self.send_response(404 if content is None else 200)
            for name, value in ({} if content is None else state.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()

        def do_GET(self) -> None:
            state.fetched.append(self.path)
            self.do_HEAD()
            self.wfile.write(state.files.get(self.path, b""))

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.05,))
    thread.start()
    state.address = f"http://127.0.0.1:{http.server_port}"
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("KARYO_WEIGHTS_MIRROR", f"{state.address}/mirror/")
    monkeypatch.setenv("HF_ENDPOINT", state.address)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


def publish(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> State:
    """Put weights on the server under a name that holds their checksum, as torchvision's published files have it."""
    state = build_library_network(SHUFFLENET).state_dict()
    torch.save(state, tmp_path / "made.pth")
    content = (tmp_path / "made.pth").read_bytes()
    name = f"shufflenet-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    weights = torchvision.models.ShuffleNet_V2_X0_5_Weights.DEFAULT.value
    monkeypatch.setattr(weights, "url", f"https://weights.invalid/models/{name}")
    server.files[f"/mirror/{name}"] = content
    return state


def cached(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "torch").rglob("*") if path.is_file()]


def test_pretrained_weights_come_once_with_a_progress_bar(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = publish(server, monkeypatch, tmp_path)
    spec = NetworkSpec("torchvision", "shufflenet_v2_x0_5", 64)
    first = ChromosomeNetwork(spec, pretrained=True)
    shown = capfd.readouterr().err
    assert server.address in shown
    assert "100%" in shown
    ChromosomeNetwork(spec, pretrained=True)
    assert len(server.fetched) == len(cached(tmp_path)) == 1
    own = first.backbone.state_dict()
    assert torch.equal(own["conv5.0.weight"], state["conv5.0.weight"])
    assert torch.allclose(own["conv1.0.weight"], state["conv1.0.weight"].sum(1, keepdim=True), atol=1e-6)


def test_a_download_damaged_on_its_way_is_not_kept(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish(server, monkeypatch, tmp_path)
    path, content = next(iter(server.files.items()))
    server.files[path] = content[:-100] + bytes(100)
    assert "damaged" in sentence(lambda: download_state(SHUFFLENET))
    assert cached(tmp_path) == []
    server.files[path] = content
    assert download_state(SHUFFLENET)


def test_a_file_damaged_in_the_cache_is_named(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish(server, monkeypatch, tmp_path)
    download_state(SHUFFLENET)
    (kept,) = cached(tmp_path)
    kept.write_bytes(kept.read_bytes()[:5000])
    text = sentence(lambda: download_state(SHUFFLENET))
    assert str(kept) in text
    assert "delete it" in text


def test_a_downloaded_pickle_is_not_run(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish(server, monkeypatch, tmp_path)
    content = pickle.dumps(Dangerous(tmp_path / "trap"))
    name = f"shufflenet-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    weights = torchvision.models.ShuffleNet_V2_X0_5_Weights.DEFAULT.value
    monkeypatch.setattr(weights, "url", f"https://weights.invalid/models/{name}")
    server.files[f"/mirror/{name}"] = content
    sentence(lambda: download_state(SHUFFLENET))
    assert not (tmp_path / "trap").exists()


def test_a_server_without_the_file_is_told_from_no_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    text = sentence(lambda: download_state(SHUFFLENET))
    assert "404" in text
    assert "KARYO_WEIGHTS_MIRROR" in text
    monkeypatch.setenv("KARYO_WEIGHTS_MIRROR", "http://127.0.0.1:9")
    assert "Connection refused" in sentence(lambda: download_state(SHUFFLENET))
    monkeypatch.setenv("KARYO_WEIGHTS_MIRROR", "somewhere")
    assert "no address" in sentence(lambda: download_state(SHUFFLENET), SettingsError)


def test_a_mirror_may_be_a_folder(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish(server, monkeypatch, tmp_path)
    path, content = next(iter(server.files.items()))
    (tmp_path / Path(path).name).write_bytes(content)
    monkeypatch.setenv("KARYO_WEIGHTS_MIRROR", tmp_path.as_uri())
    assert "conv5.0.weight" in download_state(SHUFFLENET)
    assert server.fetched == []


def test_a_cache_that_cannot_be_written_is_named(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish(server, monkeypatch, tmp_path)
    (tmp_path / "torch").write_text("a file where the folder should be")
    text = sentence(lambda: download_state(SHUFFLENET))
    assert str(tmp_path / "torch") in text
    assert "TORCH_HOME" in text


HUB_FILE = f"/{timm.get_pretrained_cfg('test_resnet').hf_hub_id}/resolve/main/model.safetensors"


def publish_on_hub(server: Server, tmp_path: Path) -> State:
    state = timm.create_model("test_resnet").state_dict()
    save_file(state, tmp_path / "made.safetensors")
    server.files[HUB_FILE] = (tmp_path / "made.safetensors").read_bytes()
    server.headers = {"ETag": '"one"', "X-Repo-Commit": "0" * 40}
    return state


def test_weights_of_timm_come_once(server: Server, tmp_path: Path) -> None:
    state = publish_on_hub(server, tmp_path)
    for _ in range(2):
        loaded = download_state(TIMM)
        assert all(torch.equal(value, loaded[key]) for key, value in state.items())
    assert server.fetched == [HUB_FILE]


def test_a_damaged_file_of_timm_in_the_cache_is_named(server: Server, tmp_path: Path) -> None:
    publish_on_hub(server, tmp_path)
    server.files[HUB_FILE] = server.files[HUB_FILE][:300]
    text = sentence(lambda: download_state(TIMM))
    assert "model.safetensors" in text
    assert "delete it" in text


def test_timm_offline_says_so_at_once(monkeypatch: pytest.MonkeyPatch, server: Server, run: Run) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    text = sentence(lambda: download_state(TIMM))
    assert "Connection refused" in text
    assert "HF_ENDPOINT" in text
    result = run("train", *TINY, "pretrained=true")
    assert result.code == 1
    assert "weights=FILE" in result.err
    assert "Traceback" not in result.out + result.err


def test_networks_without_published_weights_are_settings() -> None:
    spec = BackboneSpec("timm", "botnet50ts_256", 3, 64)
    assert "no pretrained weights" in sentence(lambda: download_state(spec), SettingsError)
