"""`chatsecure demo`: a server and three people on this computer play a short scene.

The people, the scene and its checks are in `scene.py`, the server and the search of it in
`server.py`, the windows that stay with the person in `windows.py` (panes of tmux: `tui/panes.py`).
"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from argparse import Namespace
from pathlib import Path

from chatsecure.cli.output import Output
from chatsecure.tui.panes import Panes

from .scene import SCENE_STEPS, Scene, play, three
from .server import Server, running_server, search_server, show_server
from .windows import Windows, choose_faces

__all__ = ["Server", "demo", "running_server", "search_server"]


def demo(args: Namespace, output: Output) -> int:
    """`chatsecure demo`."""
    faces = choose_faces(args.faces, output)
    folder = Path(tempfile.mkdtemp(prefix="chatsecure-demo-"))
    # A scene must not leave keys in anybody's keyring.
    before = os.environ.get("CHATSECURE_KEYRING")
    os.environ["CHATSECURE_KEYRING"] = "off"
    try:
        return asyncio.run(_demo(folder, output, faces, show=args.show_server))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        if before is None:
            del os.environ["CHATSECURE_KEYRING"]
        else:
            os.environ["CHATSECURE_KEYRING"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _end_in_order() -> None:
    """Whatever ends the demo ends its server and deletes its folder."""
    task = asyncio.current_task()
    assert task is not None
    for name in ("SIGTERM", "SIGHUP"):
        with contextlib.suppress(NotImplementedError, AttributeError):
            asyncio.get_running_loop().add_signal_handler(getattr(signal, name), task.cancel)


async def _demo(folder: Path, output: Output, faces: str, *, show: bool) -> int:
    _end_in_order()
    output.notice(
        "demo: a server and three people on this computer; nothing leaves it; "
        "Ctrl-C ends it and deletes everything"
    )
    with running_server(folder / "server", folder / "server.log") as server:
        windows = Panes(folder) if faces == "tui" else Windows(folder, faces)
        try:
            good = await _scene(folder, server, windows, output, show=show)
            output.notice(f"demo: {good} of {SCENE_STEPS} steps as they should be")
            if windows.faces != "none":
                what = "panes" if faces == "tui" else "windows"
                output.notice(
                    f"the {what} are yours now: type in any of them. /help lists the commands. "
                    "The demo ends when they are closed."
                )
                await windows.ended()
        finally:
            windows.close()
    output.next("chatsecure serve")
    return 0 if good == SCENE_STEPS else 1


async def _scene(
    folder: Path, server: Server, windows: Windows | Panes, output: Output, *, show: bool
) -> int:
    """Play the scene and search the server; gives how many steps were as they should be."""
    async with three(folder, server) as people:
        await windows.open(*people)
        opened = (
            f"        {len(windows)} {'panes' if windows.faces == 'tui' else 'windows'} opened"
            if len(windows)
            else ""
        )
        output.notice(
            f"  server {server.address} | alice student | bob student | mara manager{opened}"
        )
        scene = Scene(people, output, pause=windows.pause, leaving=windows.shut)
        await play(scene, folder)
        found = await asyncio.to_thread(search_server, server, scene.needles)
        scene.tell_search(found)
        if show:
            show_server(server, scene.needles, output)
    # Who had left comes back, for the person to play with.
    await windows.open("alice", "bob", "mara")
    return sum(scene.good)
