"""What the images and the composition promise, as far as it shows without an engine to build them with."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pipeline.cli import cli, main

ROOT = Path(__file__).parents[2]
TARGETS = ("cpu", "cuda")


def instructions() -> list[tuple[str, str]]:
    """Every instruction of the Dockerfile in order: its name and its arguments, continued lines joined."""
    text = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined)]


def stage(target: str) -> list[tuple[str, str]]:
    """The instructions of a build stage, those of the stages it is based on first."""
    base, found, inside = "", [], False
    for name, arguments in instructions():
        if name == "FROM":
            inside = arguments.endswith(f" AS {target}")
            base = arguments.split(" AS ")[0] if inside else base
        elif inside:
            found.append((name, arguments))
    assert base, f"no stage {target}"
    return found if base.startswith("$") else stage(base) + found


def last(target: str, wanted: str) -> str:
    return [arguments for name, arguments in stage(target) if name == wanted][-1]


def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))["services"])


def parse(arguments: list[str]) -> None:
    """Check arguments of `lumabraid` without running it: an unknown command, option or value is an error."""
    command = cli.get_command(click.Context(cli), arguments[0])
    assert command is not None
    command.make_context(arguments[0], arguments[1:])


def check_shell(script: str) -> None:
    subprocess.run(["sh", "-nc", script], check=True, capture_output=True, text=True)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_runs_as_root(target: str) -> None:
    user = last(target, "USER")
    assert user.isdecimal()
    assert int(user) > 0
    assert any(f"--uid {user} " in arguments for name, arguments in stage(target) if name == "RUN")


@pytest.mark.parametrize("target", TARGETS)
def test_the_tested_versions_are_installed(target: str) -> None:
    (install,) = [text for name, text in stage(f"build-{target}") if name == "RUN" and "pip install" in text]
    assert "-c constraints.txt ./client" in install
    assert last(target, "COPY") == f"--from=build-{target} /opt/lumabraid /opt/lumabraid"
    assert any(name == "ENV" and "PATH=/opt/lumabraid/bin:" in text for name, text in stage(target))


def test_the_base_image_is_an_argument() -> None:
    assert instructions()[0][0] == "ARG"
    assert instructions()[0][1].startswith("BASE=")
    bases = [arguments.split(" AS ")[0] for name, arguments in instructions() if name == "FROM"]
    stages = {arguments.split(" AS ")[1] for name, arguments in instructions() if name == "FROM"}
    assert set(bases) <= {"${BASE}", *stages}


def test_every_run_line_is_valid_shell() -> None:
    for name, arguments in instructions():
        if name == "RUN":
            check_shell(arguments)


def test_the_health_check_reads_a_frame_from_the_address_it_is_told() -> None:
    default = re.search(r"LUMABRAID_HEALTH=(\S+)", " ".join(text for name, text in stage("cpu") if name == "ENV"))
    assert default is not None
    command = yaml.safe_load(last("cpu", "HEALTHCHECK").partition("CMD ")[2])
    assert command[:2] == ["sh", "-c"]
    check_shell(command[2])
    for address in (default[1], services()["fusion"]["environment"]["LUMABRAID_HEALTH"]):
        check, _, otherwise = command[2].replace("$LUMABRAID_HEALTH", address).partition(" || ")
        program, *arguments = shlex.split(check)
        assert program == "lumabraid"
        assert otherwise == "exit 1"
        parse(arguments)


def test_the_build_sees_what_it_copies_and_no_more() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    shown = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        path
        for name, arguments in instructions()
        if name == "COPY" and not arguments.startswith("--from")
        for path in arguments.split()[:-1]
    }
    assert shown == copied
    assert "*" in rules
    assert all((ROOT / path).exists() for path in copied)


def test_what_is_built_needs_only_what_is_copied() -> None:
    shown = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = [*wheel, project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"]
    assert all(f"!{path}" in shown.splitlines() for path in needed)


def test_the_composition_runs_commands_that_exist() -> None:
    for name in ("fusion", "subscriber"):
        parse(services()[name]["command"])


def test_the_composition_runs_a_valid_configuration() -> None:
    command, preset, *options = services()["fusion"]["command"]
    settings = [options[index : index + 2] for index, option in enumerate(options) if option == "--set"]
    assert command == "run"
    assert main(["config", "check", preset, *(argument for setting in settings for argument in setting)]) == 0


def test_the_composition_runs_the_targets_of_the_dockerfile() -> None:
    for service in services().values():
        path = ROOT / "docker" / service["build"]["context"] / service["build"]["dockerfile"]
        assert path.samefile(ROOT / "docker" / "Dockerfile")
        assert stage(service["build"]["target"])
    cuda = yaml.safe_load((ROOT / "docker" / "compose.cuda.yaml").read_text(encoding="utf-8"))
    assert set(cuda["services"]) <= set(services())
    assert stage(cuda["services"]["fusion"]["build"]["target"])


def test_the_composition_says_which_map_is_missing() -> None:
    (bind,) = [volume for volume in services()["fusion"]["volumes"] if isinstance(volume, dict)]
    assert bind["source"].startswith("${LUMABRAID_MAP:?")
    assert f"capture.map={bind['target']}" in services()["fusion"]["command"]


def test_the_composition_is_only_reached_from_this_machine() -> None:
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert ports
    assert all(fnmatch(port, "127.0.0.1:*:*") for port in ports)
    assert all("--insecure" not in service["command"] for service in services().values())


def test_keys_are_made_once_and_the_subscriber_gets_its_own_alone(tmp_path: Path) -> None:
    service = services()["keys"]
    assert service["entrypoint"] == ["sh", "-euc"]
    script = service["command"][0].replace("$$", "$")
    for folder in ("/reader-keys", "/keys"):
        script = re.sub(rf"(?<![\w-]){folder}\b", f"{tmp_path}{folder}", script)
    program = "import sys; from pipeline.cli import main; sys.exit(main())"
    lumabraid = f'lumabraid() {{ {shlex.quote(sys.executable)} -c "{program}" "$@"; }}\n'
    (tmp_path / "reader-keys").mkdir()
    for _ in range(2):
        subprocess.run(
            [*service["entrypoint"], lumabraid + script],
            check=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'client'}"},
        )
    given = sorted(path.name for path in (tmp_path / "reader-keys").iterdir())
    assert given == ["publisher.key", "watcher.key_secret"]
    health = services()["fusion"]["environment"]["LUMABRAID_HEALTH"].split()
    used = [part for part in [*services()["subscriber"]["command"], *health] if "keys/" in part]
    assert len(used) == 4
    assert all((tmp_path / path.removeprefix("/")).is_file() for path in used)
