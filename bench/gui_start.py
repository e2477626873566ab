"""How soon a window is of use: from the command to a conversation that can be written in.

    python -m bench.gui_start [--tries 10]

Needs a display (`xvfb-run python -m bench.gui_start`). A real server and profile; the first try
warms the system's caches and does not count.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "chatsecure"]


def main() -> None:
    """Start it again and again, print median and worst."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tries", type=int, default=10)
    tries = parser.parse_args().tries
    environment = os.environ | {"CHATSECURE_KEYRING": "off"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="bench-gui-") as name:
        folder = Path(name)
        server = subprocess.Popen(
            [*COMMAND, "serve", "--data", folder / "server", "--listen", "127.0.0.1:0", "-q"],
            stdout=subprocess.PIPE, env=environment, text=True,
        )  # fmt: skip
        assert server.stdout is not None
        try:
            server.stdout.readline()
            link = server.stdout.readline().split()[1]
            profile = ["--profile", folder / "mara"]
            subprocess.run(
                [*COMMAND, *profile, "join", "-", "--name", "mara", "-q"],
                input=link, env=environment, text=True, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            took = [_start(profile, environment) for _ in range(tries + 1)][1:]
        finally:
            server.terminate()
            server.wait(20)
    print(f"start to use  p50 {statistics.median(took):.2f} s  worst {max(took):.2f} s  n {tries}")


def _start(profile: list[str | Path], environment: dict[str, str]) -> float:
    began = time.monotonic()
    window = subprocess.Popen(
        [*COMMAND, *profile, "--json", "gui"], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert window.stdout is not None
    said = window.stdout.readline()
    took = time.monotonic() - began
    window.terminate()
    window.communicate(timeout=20)
    assert '"ready"' in said, said
    return took


if __name__ == "__main__":
    main()
