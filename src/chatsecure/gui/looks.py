"""Light or dark, and how large: what the system says, with nothing but what is there."""

import os
import subprocess
import sys
import tkinter as tk

from .theme import DEFAULT_FONT_SIZE

MOST_SCALE = 4.0


def resolve(setting: str) -> str:
    """The palette's name for a setting: `auto` asks the system."""
    return setting if setting != "auto" else ("dark" if system_is_dark() else "light")


def letters(percent: str) -> int:
    """The size of the letters, in pixels at scale 1, for a setting in percent."""
    return round(DEFAULT_FONT_SIZE * int(percent) / 100)


def system_is_dark() -> bool:
    """Whether the system's windows are dark; False where it does not tell."""
    try:
        if sys.platform == "win32":
            import winreg

            key = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key) as opened:
                return bool(winreg.QueryValueEx(opened, "AppsUseLightTheme")[0] == 0)
        if sys.platform == "darwin":
            command = ["defaults", "read", "-g", "AppleInterfaceStyle"]
        else:
            theme = os.environ.get("GTK_THEME", "")
            if theme:
                return "dark" in theme.casefold()
            if not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
                return False
            command = ["gsettings", "get", "org.gnome.desktop.interface", "color-scheme"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=0.3, check=False)
    except (ImportError, OSError, subprocess.SubprocessError):
        return False
    return "dark" in told.stdout.casefold()


def system_scale(root: tk.Misc) -> float:
    """How many pixels of the screen go to one of ours: 1.0 at 96 dots an inch.

    `CHATSECURE_SCALE` says it where the screen does not know.
    """
    given = os.environ.get("CHATSECURE_SCALE", "")
    try:
        scale = float(given) if given else root.winfo_fpixels("1i") / 96
    except ValueError:
        scale = 1.0
    if sys.platform == "darwin":
        # Points there: the system enlarges by itself.
        scale = 1.0
    # Screens lie a little: nothing between 0.85 and 1.15 is meant.
    return 1.0 if 0.85 < scale < 1.15 else max(0.75, min(MOST_SCALE, scale))
