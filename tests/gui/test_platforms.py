"""What differs between systems and between versions of Tk, as far as it can be seen from here."""

import importlib
import sys
import tkinter as tk
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import talk

from chatsecure.gui import files, keys, looks, spoken, wheel
from chatsecure.gui.history import History
from chatsecure.gui.row import Look
from chatsecure.gui.rows import Rows
from chatsecure.gui.theme import Theme


@pytest.mark.parametrize(
    ("platform", "command"),
    [
        ("linux", ["xdg-open", "/d"]),
        ("darwin", ["open", "-R", "/d/a b.txt"]),
        ("win32", 'explorer /select,"/d/a b.txt"'),
    ],
)
def test_a_folder_is_shown_by_each_systems_own_program(
    platform: str, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(files.subprocess, "Popen", lambda words, **_more: begun.append(words))
    files.show_in_folder(SimpleNamespace(), talk.line(1, "bob", "a b.txt", path="/d/a b.txt"))  # type: ignore[arg-type]
    assert begun == [command]


@pytest.mark.parametrize(
    ("delta", "system", "steps"),
    [
        (120, "win32", -1), (-240, "win32", 2), (30, "win32", -1), (1, "aqua", -1),
        (-3, "aqua", 3), (-120, "aqua", 1), (120, "x11", -1), (0, "x11", 0),
    ],
)  # fmt: skip
def test_a_turn_of_the_wheel_is_steps_everywhere(delta: int, system: str, steps: int) -> None:
    assert wheel.steps(delta, system) == steps


def test_a_touchpad_tells_both_ways_in_one_number() -> None:
    assert wheel.low_half((5 << 16) | (0x10000 - 12)) == -12
    assert wheel.low_half(7) == 7


def test_the_wheel_is_heard_as_this_tk_tells_of_it(root: tk.Tk) -> None:
    rolled: list[int] = []
    frame = tk.Frame(root, width=100, height=100)
    frame.pack()
    root.update()
    wheel.on_wheel(frame.bind, rolled.append, system="x11")
    if tk.TkVersion < 9:
        frame.event_generate("<Button-5>")
        frame.event_generate("<Button-4>")
    else:
        frame.event_generate("<MouseWheel>", delta=-120)
        frame.event_generate("<MouseWheel>", delta=120)
    root.update()
    assert rolled == [1, -1]


@pytest.fixture
def mac_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(sys, "platform", "darwin")
    yield importlib.reload(keys)
    monkeypatch.undo()
    importlib.reload(keys)


def test_on_the_mac_its_own_keys_are_taken_and_named(mac_keys: Any) -> None:
    patterns = [pattern for some, _words, _act in mac_keys.KEYS for pattern in some]
    assert "<Command-k>" in patterns
    assert "<Option-Up>" in patterns
    assert not any("Control" in pattern or "Alt" in pattern for pattern in patterns)
    assert mac_keys.key_words("<Command-k>") == "Cmd+K"


def test_the_macs_own_menu_closes_in_order(root: tk.Tk) -> None:
    done: list[str] = []
    window: Any = SimpleNamespace(
        root=root, close=lambda: done.append("closed"),
        acts=SimpleNamespace(wish=lambda what: done.append(what)),
    )  # fmt: skip
    keys._menu_of_the_mac(window)
    root.tk.call("::tk::mac::Quit")
    root.tk.call("::tk::mac::ShowPreferences")
    assert done == ["closed", "settings"]


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_where_the_system_does_not_tell_its_look_the_window_is_light(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here neither has what it asks: no registry, no `defaults`."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setitem(sys.modules, "winreg", None)
    monkeypatch.setenv("PATH", "")
    assert looks.resolve("auto") == "light"


def test_a_screen_reader_is_told_what_is_chosen_where_tk_can(
    root: tk.Tk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        spoken, "call", lambda _widget, *words: told.append((words[0], words[-1])) or True
    )
    theme = Theme(root)
    rows: Rows[str] = Rows(root, theme, lambda name: Look(name, "hello", badge="2"), print)
    rows.show(["bob", "#lobby"])
    rows.step(1)
    assert ("set_acc_value", "#lobby, hello, 2") in told
    history = History(root, theme, on=lambda *_: None)
    line = talk.line(1, "bob", "is it *done*?")
    history.open("#design", "alice", [line], first_unread=None, at_end=True)
    history.focus_last()
    assert any(value.endswith(": is it done?") for _what, value in told)


def test_a_tk_that_cannot_is_asked_once(root: tk.Tk) -> None:
    if tk.TkVersion < 9.1:
        assert not spoken.call(root, "set_acc_name", ".", "ChatSecure")
        assert id(root.tk) in spoken._unable
