"""The commands in the README and the guides run as they stand there, in the order they stand.

Lines that begin with `$ ` in a block marked `console` are run by a shell, by the person the guide
speaks to (mara, who owns the server); the world around (a server, bob, a link to join with) is
there as the guide assumes. Blocks without a mark show output or need what a test does not have
(another host, root).
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatsecure.cli.commands import COMMANDS

from .conftest import Person, Server, World, command, environment, start_server

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = (
    "README.md",
    *sorted(f"docs/guide/{path.name}" for path in (ROOT / "docs/guide").glob("*.md")),
)
ENDLESS = ("gui", "tui", "cli", "run-bot")
"""Commands that go on until the person ends them: only their help is run."""
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(document: str) -> list[str]:
    """The commands of a document, with their continued lines."""
    found = []
    for block in BLOCK.findall((ROOT / document).read_text(encoding="utf-8")):
        joined = block.replace("\\\n", " ")
        found += [line[2:] for line in joined.splitlines() if line.startswith("$ ")]
    return found


SHIM = """#!/bin/sh
# The person's profile, and what a test must bound or cannot share: the port, endless commands.
case "$1" in
  {endless}) exec {chatsecure} "$1" --help ;;
  serve) shift; set -- --data "$SPARE/server" --listen 127.0.0.1:0 "$@"
         exec timeout -s TERM 20 {chatsecure} serve "$@" ;;
  demo) exec {chatsecure} "$@" --faces none ;;
  join) shift; exec {chatsecure} --profile "$SPARE/profile" join --name newcomer "$@" ;;
  admin) shift; exec {chatsecure} admin --data "$SERVER" "$@" ;;
  listen) shift; exec {chatsecure} listen --for 1 "$@" ;;
  *) exec {chatsecure} "$@" ;;
esac
"""


@pytest.fixture
def shell(tmp_path: Path, met: Server) -> Iterator[dict[str, str]]:
    """The environment of mara's shell: a server with bob on it, a folder with what guides name."""
    shutil.copytree(met.data.parent, tmp_path, dirs_exist_ok=True)
    server = start_server(tmp_path / "server", "events", met.address, owner=False)
    world = World(server, tmp_path)
    mara, bob = (Person(name, tmp_path / f"person-{name}") for name in ("mara", "bob"))
    world.people += [mara, bob]
    link = mara("invite", "--uses", "3").ok().out.strip()
    spare = tmp_path / "spare"
    (spare / "bin").mkdir(parents=True)
    shim = spare / "bin" / "chatsecure"
    shim.write_text(
        SHIM.format(chatsecure=shlex.join(command()), endless="|".join(ENDLESS)), encoding="utf-8"
    )
    shim.chmod(0o755)
    # Bob is there all the time, so that what waits for him ends.
    listening = bob.start("listen", "--json")
    assert listening.event("connection")["state"] == "online"
    yield environment(
        PATH=f"{spare / 'bin'}:{os.environ['PATH']}",
        CHATSECURE_HOME=str(mara.folder),
        CHATSECURE_LINK=link,
        SERVER=str(server.data),
        SPARE=str(spare),
        HOME=str(spare),
    )
    listening.process.kill()
    listening.process.communicate()
    assert server.stop() == 0


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_commands_of_a_document_run(
    document: str, shell: dict[str, str], tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for name in ("lecture.pdf", "report.pdf", "photo.jpg"):
        (here / name).write_bytes(name.encode() * 1000)
    (here / "photos").mkdir()
    (here / "photos" / "one.jpg").write_bytes(b"1" * 5000)
    for line in commands(document):
        if line.startswith("chatsecure serve"):
            _starts_and_stops(line, shell, here)
            continue
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", line],
            cwd=here, env=shell, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def _starts_and_stops(line: str, shell: dict[str, str], here: Path) -> None:
    """A server that a guide starts says that it is ready, gives its link, and ends well."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {line}"], cwd=here, env=shell, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ready 127.0.0.1:")
    assert process.stdout.readline().startswith("link chatsecure://")
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()


def test_every_command_that_a_document_names_exists() -> None:
    """Also in what is not run: text, tables, other blocks."""
    known = {known.name for known in COMMANDS}
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|[`$ (])chatsecure ([a-z][a-z-]*)", text, re.MULTILINE))
        prose = {"is", "server", "import"}
        assert named - known - prose == set(), document
