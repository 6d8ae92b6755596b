"""The container files without a container engine: every path, command, port and user they name exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
COMPOSE = ROOT / "docker" / "compose.yaml"


def instructions() -> list[tuple[str, str]]:
    text = re.sub(
        r"\\\n", " ", "\n".join(line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#"))
    )
    return [(line.split(None, 1)[0].upper(), line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def stages() -> list[str]:
    return [match.group(1) for _, rest in instructions() if (match := re.search(r"\bAS (\w+)$", rest))]


def cli_help(*verb: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "relayer", *verb, "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout


def test_dockerfile_copies__any__name_existing_paths() -> None:
    copied = [
        part
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for part in shlex.split(rest)[:-1]
    ]

    assert copied
    assert not [path for path in copied if not (ROOT / path).exists()]


def test_dockerfile_stages__each_final_one__runs_as_non_root() -> None:
    users: dict[str, str] = {}
    stage = ""
    for word, rest in instructions():
        if word == "FROM":
            stage = rest.rsplit(" AS ", 1)[1]
        if word == "USER":
            users[stage] = rest

    assert users["relayer"] == "10001:10001"
    assert users["node"] == "node"  # the base image's own user, uid 1000
    text = DOCKERFILE.read_text()
    assert "--uid 10001" in text
    assert "--gid 10001" in text


def test_dockerfile_versions__any__are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    uv = re.search(r"UV_VERSION := (\S+)", makefile)

    assert uv
    assert f"uv=={uv.group(1)}" in DOCKERFILE.read_text()


def test_dockerfile_anvil__path__is_the_one_the_lock_installs() -> None:
    entry = next(rest for word, rest in instructions() if word == "ENTRYPOINT" and "anvil" in rest)
    package = re.search(r"node_modules/(@foundry-rs/[^/]+)/", entry)

    assert package
    assert package.group(1) in (ROOT / "chains/devnet/package-lock.json").read_text()


def test_healthcheck_and_command__any__are_verbs_with_those_options() -> None:
    health = next(rest for word, rest in instructions() if word == "HEALTHCHECK")
    command = next(rest for word, rest in instructions() if word == "CMD" and "run" in rest)

    assert '"relayer", "health"' in health
    assert "exit code 0 yes, 1 no" in cli_help("health")
    assert '"run", "--config"' in command
    assert "--config" in cli_help("run")


def test_compose_services__any__build_stages_and_commands_that_exist() -> None:
    services = compose()["services"]

    assert {"anvil-a", "anvil-b", "anvil-c", "relayer", "world"} == set(services)
    for service in services.values():
        assert service["build"]["target"] in stages()
        assert (COMPOSE.parent / service["build"]["context"] / service["build"]["dockerfile"]).resolve() == DOCKERFILE
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    devnet_help, run_help = cli_help("devnet", "up"), cli_help("run")
    assert services["world"]["command"][:2] == ["devnet", "up"]
    assert not [word for word in services["world"]["command"] if word.startswith("--") and word not in devnet_help]
    assert not [word for word in services["relayer"]["command"] if word.startswith("--") and word not in run_help]


def test_compose_chains__any__are_the_devnet_networks() -> None:
    services = compose()["services"]
    ids = [
        services[name]["command"][services[name]["command"].index("--chain-id") + 1]
        for name in ("anvil-a", "anvil-b", "anvil-c")
    ]
    urls = [word for word in services["world"]["command"] if word.startswith("eip155:")]

    assert urls == [
        f"eip155:{chain}=http://{name}:8545" for chain, name in zip(ids, ("anvil-a", "anvil-b", "anvil-c"), strict=True)
    ]
    networks = "\n".join(path.read_text() for path in (ROOT / "chains/networks").glob("devnet*.toml"))
    assert all(f'"eip155:{chain}"' in networks for chain in ids)


def test_compose_ports_and_volumes__any__are_those_of_the_image() -> None:
    services = compose()["services"]
    exposed = [rest for word, rest in instructions() if word == "EXPOSE"]

    assert exposed == ["8547", "8545"]
    assert services["relayer"]["ports"] == ["127.0.0.1:8547:8547"]
    volumes = {mount.split(":")[0] for name in ("relayer", "world") for mount in services[name]["volumes"]}
    assert volumes == set(compose()["volumes"])
