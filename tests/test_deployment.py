"""What docs/deployment.md and its files promise: every setting, variable, flag and command in them is real."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import pytest
import test_minimal_install as minimal
import typer
from exported import tiny_model
from serving import running

from karyo.commands import app
from karyo.data.synthetic import SyntheticSource
from karyo.errors import SettingsError
from karyo.web.settings import PREFIX, ServerSettings

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "deployment.md").read_text(encoding="utf-8")
CONTAINERFILE = DOCS / "deployment" / "Containerfile"
UNIT = DOCS / "deployment" / "karyo.service"
FIELDS = {each.name: each for each in fields(ServerSettings)}
VARIABLES = {PREFIX + name.upper() for name in FIELDS} | {"KARYO_API_KEY_FILE"}
FLAGS = {
    flag for each in typer.main.get_command(app).commands["serve"].params for flag in each.opts if flag.startswith("--")
}
KEY = "0123456789abcdef"
OPEN_PAGES = ("/", "/page/page.js", "/docs", "/openapi.json", "/api/v1/ideogram/7.svg")

wheel = minimal.wheel


def _table() -> dict[str, tuple[str, str, str]]:
    """The page's settings: variable to flag, default, range."""
    rows = re.findall(r"^\| `(KARYO_\w+)` \| (.+?) \| (.+?) \| (.*?) \|", PAGE, re.MULTILINE)
    assert len(rows) == len({variable for variable, *_ in rows}), "a setting is listed twice"
    return {variable: (flag.strip("`"), default.strip("`"), allowed) for variable, flag, default, allowed in rows}


def _instructions() -> list[tuple[str, str]]:
    """The Containerfile's instructions with their continued lines joined."""
    lines = [line for line in CONTAINERFILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in joined.splitlines() if line]  # type: ignore[misc]


def _unit() -> dict[str, list[str]]:
    """The unit's assignments; a key may stand there several times."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def _unit_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in _unit()["Environment"] for pair in line.split())


def _written(value: Any) -> str:
    """A default as the page writes it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return f"{value:,g}" if isinstance(value, float) else f"{value:,}"


def test_the_page_lists_every_setting_with_its_flag_and_its_default():
    table = _table()
    assert set(table) == VARIABLES
    for name, each in FIELDS.items():
        assert table[PREFIX + name.upper()][1] == _written(each.default), name
    listed = {flag for flag, _, _ in table.values() if flag != "–"}
    assert listed == FLAGS - {"--help"}
    for variable, (flag, _, _) in table.items():
        spelled = f"--{variable.removeprefix(PREFIX).lower().replace('_', '-')}"
        assert flag in ("–", spelled, spelled.removesuffix("s")), variable


def test_the_page_states_the_ranges_that_hold():
    bounded = {variable: allowed for variable, (_, _, allowed) in _table().items() if " to " in allowed}
    assert len(bounded) == 11
    for variable, allowed in bounded.items():
        name = variable.removeprefix(PREFIX).lower()
        least, most = (int(part.replace(",", "")) for part in allowed.split(" to "))
        beside = {"queue": 100_000, "max_images": 1}
        for value in (least, most):
            ServerSettings(**(beside | {name: value}))
        for value in (least - 1, most + 1):
            with pytest.raises(SettingsError):
                ServerSettings(**(beside | {name: value}))


@pytest.mark.parametrize("path", [DOCS / "deployment.md", CONTAINERFILE, UNIT], ids=lambda path: path.name)
def test_no_variable_and_no_flag_is_invented(path: Path):
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"KARYO_[A-Z_]*[A-Z]", text)) - {"KARYO_NAME"} <= VARIABLES
    for line in re.findall(r"karyo serve (.+)", text):
        assert set(re.findall(r"(?<!\S)--[a-z-]+", line)) <= FLAGS


def test_the_container_runs_the_server_without_shell_and_root():
    instructions = _instructions()
    stages = [index for index, (name, _) in enumerate(instructions) if name == "FROM"]
    bases = {instructions[index][1].split()[0] for index in stages}
    assert len(stages) == 2
    assert len(bases) == 1, "the environment is made by the Python that runs it"
    assert "/" not in bases.pop()
    last = dict(instructions[stages[-1] :])
    assert int(last["USER"].split(":")[0]) > 0
    assert last["STOPSIGNAL"] == "SIGTERM"
    for name, arguments in instructions:
        if name in ("RUN", "ENTRYPOINT", "CMD"):
            assert isinstance(json.loads(arguments), list), "a line for a shell"
    assert json.loads(last["ENTRYPOINT"])[1:] == ["serve"]
    variables = dict(pair.split("=", 1) for pair in last["ENV"].split())
    assert ServerSettings.gather({}, variables) == ServerSettings(host="0.0.0.0")
    assert last["EXPOSE"] == variables["KARYO_PORT"]
    assert variables["ORT_DISABLE_TELEMETRY"] == "1"
    for name, arguments in instructions[: stages[-1]]:
        if name == "COPY":
            assert all((DOCS.parent / source).exists() for source in arguments.split()[:-1])


def test_the_health_check_tells_a_server_that_is_there_from_one_that_is_not(tmp_path: Path):
    check = json.loads(dict(_instructions())["HEALTHCHECK"].partition("CMD ")[2])
    line = [sys.executable, *check[1:]]
    with running(tiny_model(tmp_path), access_log="off") as server:
        environment = os.environ | {"KARYO_PORT": str(server.port)}
        assert subprocess.run(line, env=environment, timeout=30).returncode == 0
        server.stop()
        assert subprocess.run(line, env=environment, timeout=30, stderr=subprocess.DEVNULL).returncode == 1


def test_the_unit_fits_the_settings(tmp_path: Path):
    unit, environment = _unit(), _unit_environment()
    name, _, place = unit["LoadCredential"][0].partition(":")
    assert environment["KARYO_API_KEY_FILE"] == f"%d/{name}"
    assert f"`{place}`" in PAGE
    (tmp_path / name).write_text(KEY, encoding="ascii")
    settings = ServerSettings.gather({}, environment | {"KARYO_API_KEY_FILE": str(tmp_path / name)})
    assert settings == ServerSettings(api_key=KEY)
    assert int(unit["TimeoutStopSec"][0]) > settings.grace + 5
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit_and_finds_it_closed(tmp_path: Path):
    unit = tmp_path / UNIT.name
    # It looks whether the program is there; any program will do.
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/karyo/bin/karyo", sys.executable), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if UNIT.name in line]) == (0, [])
    line = ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.slow
def test_the_units_command_serves_from_an_installation_without_torch(tmp_path: Path, wheel: Path):
    binaries = minimal.installed(tmp_path / "karyo", wheel, "serve")
    model = tiny_model(tmp_path)
    (tmp_path / "api-key").write_text(KEY, encoding="ascii")
    line = [
        part.replace("/opt/karyo/bin", str(binaries)).replace("/srv/karyo", str(tmp_path))
        for part in shlex.split(_unit()["ExecStart"][0])
    ]
    assert line[-1] == str(model)
    environment = {key: value.replace("%d", str(tmp_path)) for key, value in _unit_environment().items()}
    process = subprocess.Popen(
        line,
        cwd="/",
        # Nothing else is set: what the unit gives must do.
        env=environment | {"KARYO_PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            _predict(url, "")
        assert _predict(url, KEY)["predictions"][0]["name"] == "secret name.png"
        # The page and what it is made of are in the wheel too.
        for path in OPEN_PAGES:
            with urllib.request.urlopen(f"{url}{path}", timeout=60) as answer:
                assert answer.read()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0
    lines = [json.loads(each) for each in log.splitlines()]
    assert [each["status"] for each in lines] == [401, 200, *[200] * len(OPEN_PAGES)]
    assert "secret" not in log
    (example,) = re.findall(r'^\{"time": .*\}$', PAGE, re.MULTILINE)
    assert list(json.loads(example)) == list(lines[1])
    found = "import importlib.util as u; print([n for n in ('torch', 'hydra', 'captum', 'timm') if u.find_spec(n)])"
    done = subprocess.run([binaries / "python", "-c", found], env={}, cwd="/", capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert importlib.util.find_spec("torch"), "else the line above shows nothing"


def _predict(url: str, key: str) -> dict[str, Any]:
    source = SyntheticSource(cells=1)
    image = cv2.imencode(".png", source.read(source.records[0]))[1].tobytes()
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="secret name.png"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x", "X-API-Key": key}
    request = urllib.request.Request(f"{url}/api/v1/predict", head + image + b"\r\n--x--\r\n", headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: dict[str, Any] = json.load(answer)
    return content
