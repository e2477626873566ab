"""The small picture that the sender of a picture puts beside it, so that nobody must decode what
a stranger sent to see what it is. Without what a camera writes into a file (place, time, device).
"""

import io
from pathlib import Path

from .content import MAX_THUMBNAIL_BYTES

MAX_PIXELS = 64_000_000
SIDE = 320
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"})
_QUALITIES = (80, 60, 40, 20)


def make_thumbnail(path: Path) -> bytes:
    """A JPEG of at most `MAX_THUMBNAIL_BYTES`, or nothing where the file is no picture we read.
    Slow; for a thread beside."""
    if path.suffix.lower() not in PICTURES:
        return b""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return b""
            picture.draft("RGB", (SIDE * 2, SIDE * 2))
            picture.thumbnail((SIDE, SIDE))
            small = ImageOps.exif_transpose(picture).convert("RGBA")
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return b""
    # On white, and copied: what stood beside the pixels does not come along.
    plain = Image.new("RGB", small.size, "white")
    plain.paste(small, mask=small.getchannel("A"))
    for quality in _QUALITIES:
        out = io.BytesIO()
        plain.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= MAX_THUMBNAIL_BYTES:
            return out.getvalue()
    return b""
