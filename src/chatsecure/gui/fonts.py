"""Finds the font files that Pillow draws with: of the window's family, and of any other script.

On Linux fontconfig is asked, elsewhere a few known files; where nothing is found Pillow's own
font stands in, so drawing never fails for want of a font.
"""

import shutil
import subprocess
import sys
import unicodedata
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageFont

_FOLDERS = {
    "win32": ("C:/Windows/Fonts",),
    "darwin": ("/System/Library/Fonts", "/System/Library/Fonts/Supplemental", "/Library/Fonts"),
}
_EMOJI_FILES = {"win32": ("seguiemj.ttf",), "darwin": ("Apple Color Emoji.ttc",)}
_PLAIN_FILES = {
    "win32": ("segoeui.ttf", "arial.ttf"),
    "darwin": ("SFNS.ttf", "Helvetica.ttc", "Arial Unicode.ttf"),
}
_BOLD_FILES = {"win32": ("segoeuib.ttf",), "darwin": ("SFNS.ttf", "Helvetica.ttc")}
_EMOJI_LINUX = (
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/google-noto-emoji/NotoColorEmoji.ttf",
)
_FINEST_FAMILY = {"HEBREW": "Noto Sans Hebrew", "ARABIC": "Noto Sans Arabic"}
"""Of scripts that the plain fonts draw, but not well."""
_LOOK_UP_S = 5

Font = ImageFont.FreeTypeFont


@cache
def emoji_file() -> str | None:
    """The file of a font with coloured emoji."""
    if sys.platform in _EMOJI_FILES:
        return _existing(_EMOJI_FILES[sys.platform])
    for path in _EMOJI_LINUX:
        if Path(path).is_file():
            return path
    found = _ask_fontconfig("Noto Color Emoji:color=true", "%{file}\n%{color}")
    return found[0] if found and found[-1] == "True" else None


@lru_cache(maxsize=1024)
def file_for(family: str, sign: str, *, bold: bool = False) -> str | None:
    """The file of a font that has this sign, of the family where it can be."""
    if sys.platform in _PLAIN_FILES:
        files = _BOLD_FILES if bold else _PLAIN_FILES
        return _existing(files[sys.platform]) or _existing(_PLAIN_FILES[sys.platform])
    script = unicodedata.name(sign, "").partition(" ")[0]
    wanted = _FINEST_FAMILY.get(script, family)
    weight = ":bold" if bold else ""
    found = _ask_fontconfig(
        f"{_quoted(wanted)},{_quoted(family)}{weight}:charset={ord(sign):x}:color=false", "%{file}"
    )
    return found[0] if found else None


@lru_cache(maxsize=256)
def load(path: str | None, size: int) -> Font:
    """A font at a size in pixels, shaped by Raqm where Pillow has it."""
    if path is not None:
        try:
            return ImageFont.truetype(path, size)
        except OSError:
            pass
    fallback = ImageFont.load_default(size)
    if not isinstance(fallback, ImageFont.FreeTypeFont):
        raise OSError("this Pillow was built without FreeType")
    return fallback


def for_sign(family: str, sign: str, size: int, *, bold: bool = False) -> Font:
    """A font for one sign; those of a block share it."""
    return load(file_for(family, sign, bold=bold), size)


def _existing(names: tuple[str, ...]) -> str | None:
    for folder in _FOLDERS.get(sys.platform, ()):
        for name in names:
            path = Path(folder, name)
            if path.is_file():
                return str(path)
    return None


def _quoted(family: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\-:,=" else sign for sign in family)


def _ask_fontconfig(pattern: str, wanted: str) -> list[str]:
    command = shutil.which("fc-match")
    if command is None:
        return []
    try:
        answer = subprocess.run(
            [command, "-f", wanted, pattern],
            capture_output=True,
            text=True,
            timeout=_LOOK_UP_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return answer.stdout.split("\n") if answer.returncode == 0 and answer.stdout else []
