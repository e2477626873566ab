"""doctor and where: what is installed and where things lie. Tells nothing secret."""

import importlib.metadata
import os
import platform
import shutil
import socket
import ssl
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from chatsecure import __version__
from chatsecure.links import DEFAULT_PORT

from .output import Output

LIBRARIES = ("cryptography", "msgspec", "sqlcipher3", "prompt_toolkit", "keyring", "segno")
OLDEST_SANE_CLOCK = 1_767_225_600
"""1 January 2026: a clock before that was never set."""


def doctor(args: Namespace, output: Output) -> int:  # noqa: ARG001 - the handlers' signature
    """`chatsecure doctor`."""
    report: dict[str, Any] = {
        "chatsecure": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "openssl": ssl.OPENSSL_VERSION,
        "libraries": _libraries(),
        "mls": _mls(),
        "tk": _tk(),
        "keyring": _keyring(),
        "terminal": _terminal(),
        "clock": _clock(),
        "port": _port(),
        "profile": _profile(output),
        "free_bytes": shutil.disk_usage(_nearest(_folders(output)["profile"])).free,
        "paths": {name: str(path) for name, path in _folders(output).items()},
    }
    report["problems"] = _problems(report)
    if output.json:
        output.record(report)
        return 0
    for key, value in report.items():
        if key != "problems":
            output.line(f"{key.replace('_', ' ')}: {_flat(value)}")
    for problem in report["problems"]:
        output.line(f"problem: {problem}")
    if not report["problems"]:
        output.line("all is well")
    return 0


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat(inner)}" for key, inner in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _libraries() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "missing"
    return versions


def _mls() -> str:
    try:
        from chatsecure import _mls
    except ImportError as error:
        return f"missing: {error}"
    return str(getattr(_mls, "__version__", "present"))


def _tk() -> dict[str, Any]:
    try:
        import tkinter as tk
    except ImportError:
        return {"version": "missing", "display": False}
    found: dict[str, Any] = {"version": str(tk.TkVersion), "display": False}
    try:
        root = tk.Tk()
    except tk.TclError:
        return found
    try:
        root.withdraw()
        system = root.tk.call("tk", "windowingsystem")
        found |= {
            "version": root.tk.call("info", "patchlevel"),
            "display": True,
            "windows": str(system),
            "fonts": _font_system(root, str(system)),
        }
    finally:
        root.destroy()
    return found


def _font_system(root: Any, system: str) -> str:
    if system != "x11":
        return "the system's"
    import tkinter.font as fonts

    # Without Xft, Tk on X11 has the old core fonts only: few, and not scalable.
    families = fonts.families(root)
    return "Xft" if "fixed" not in families or len(families) > 20 else "core X fonts (ugly)"


def _keyring() -> str:
    if os.environ.get("CHATSECURE_KEYRING") == "off":
        return "switched off"
    try:
        import keyring

        backend = keyring.get_keyring()
    except Exception as error:  # noqa: BLE001 - a backend may fail in any way
        return f"cannot be used: {type(error).__name__}"
    if getattr(backend, "priority", 0) <= 0:
        return "none; keys of new profiles lie in a file that only you can read"
    return str(getattr(backend, "name", type(backend).__name__))


def _terminal() -> dict[str, Any]:
    return {
        "kind": os.environ.get("TERM", "none"),
        "encoding": sys.stdout.encoding,
        "locale": os.environ.get("LC_ALL") or os.environ.get("LANG") or "none",
    }


def _clock() -> dict[str, Any]:
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    return {"utc": stamp, "zone": time.strftime("%z"), "sane": now > OLDEST_SANE_CLOCK}


def _port() -> dict[str, Any]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as test:
        if os.name == "posix":
            test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            test.bind(("0.0.0.0", DEFAULT_PORT))  # noqa: S104 - the default of serve
        except OSError as error:
            return {"number": DEFAULT_PORT, "free": False, "why": error.strerror}
    return {"number": DEFAULT_PORT, "free": True}


def _profile(output: Output) -> str:
    from chatsecure.client.profile.folder import exists

    return "present" if exists(_folders(output)["profile"]) else "none; join makes one"


def _folders(output: Output) -> dict[str, Path]:
    from chatsecure.client.profile.folder import default_folder

    folders = {"profile": output.options.profile or default_folder()}
    folders["downloads"] = folders["profile"] / "downloads"
    folders["server"] = server_folder()
    return folders


def server_folder() -> Path:
    """Where a server keeps its data unless told otherwise."""
    from chatsecure.server.run import default_data

    return default_data()


def _nearest(path: Path) -> Path:
    """The folder, or the first above it that exists."""
    return next(parent for parent in (path, *path.absolute().parents) if parent.exists())


def _problems(report: dict[str, Any]) -> list[str]:
    problems = [
        f"the library {name} is missing; install ChatSecure again"
        for name, version in report["libraries"].items()
        if version == "missing"
    ]
    if report["mls"].startswith("missing"):
        problems.append("the module chatsecure._mls is missing; install ChatSecure again")
    if not report["clock"]["sane"]:
        problems.append("the clock is wrong; certificates will be refused: set it")
    if report["free_bytes"] < 100_000_000:
        problems.append("the disk is nearly full")
    return problems


def where(args: Namespace, output: Output) -> int:  # noqa: ARG001 - the handlers' signature
    """`chatsecure where`."""
    folders = _folders(output)
    if output.json:
        output.record({name: str(path) for name, path in folders.items()})
    else:
        for name, path in folders.items():
            output.line(f"{name:<10} {path}")
    output.detail("deleting these folders removes everything that ChatSecure keeps")
    return 0
