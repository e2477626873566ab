"""The wheel of the pointer, as each system and each Tk tells of it.

Tk 8.6 on X11 sends buttons 4 and 5; Windows sends 120 for a notch, macOS small steps; Tk 9 sends
the wheel on X11 as elsewhere, and touchpads by pixels in an event of their own.
"""

import contextlib
import tkinter as tk
from collections.abc import Callable

NOTCH = 120
TOUCH_PX = 40
"""So many pixels of a touchpad are one step."""


def on_wheel(
    bind: Callable[[str, Callable[["tk.Event[tk.Misc]"], object]], object],
    roll: Callable[[int], object],
    *,
    system: str,
) -> None:
    """Call `roll` with steps: below 0 up, above 0 down.

    Args:
        bind: binds a function to an event, wherever the wheel is to be heard.
        system: Tk's windowing system.
    """
    touched = 0

    def wheel(event: "tk.Event[tk.Misc]") -> None:
        roll(steps(event.delta, system))

    def touch(event: "tk.Event[tk.Misc]") -> None:
        nonlocal touched
        touched += low_half(event.delta)
        whole = int(touched / TOUCH_PX)
        if whole:
            touched -= whole * TOUCH_PX
            roll(-whole)

    bind("<MouseWheel>", wheel)
    if tk.TkVersion < 9:
        # In Tk 9 they are what they are called: further buttons.
        bind("<Button-4>", lambda _event: roll(-1))
        bind("<Button-5>", lambda _event: roll(1))
        return
    with contextlib.suppress(tk.TclError):
        bind("<TouchpadScroll>", touch)


def steps(delta: int, system: str) -> int:
    """The steps of a turn of the wheel."""
    if delta == 0:
        return 0
    notch = 1 if system == "aqua" and abs(delta) < NOTCH else NOTCH
    return -(round(delta / notch) or (1 if delta > 0 else -1))


def low_half(packed: int) -> int:
    """The vertical part of a touchpad's move: the lower 16 bits, signed."""
    low = packed & 0xFFFF
    return low - 0x10000 if low >= 0x8000 else low
