"""An invitation read from a picture of its QR code, where the optional `zxing-cpp` is installed.

The picture may be a photo of a screen or of paper, or a screenshot; it comes from anybody.
"""

import contextlib
import importlib.util
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from chatsecure import links
from chatsecure.client.thumbnails import MAX_PIXELS
from chatsecure.wire.errors import NotFound, Usage
from chatsecure.words import _

ENOUGH_PIXELS = (2400, 2400)
"""A code that fills a good part of a picture can be read at this size; larger takes long."""
KINDS = "*.png *.jpg *.jpeg *.webp *.gif *.bmp *.tif *.tiff"


def available() -> bool:
    """Whether pictures can be read here."""
    return importlib.util.find_spec("zxingcpp") is not None


def link_in(path: Path) -> str:
    """The first link in a picture. Takes up to a second: call it in a thread.

    Raises:
        Usage: it is no picture that can be read.
        NotFound: there is no code of an invitation in it.
    """
    from zxingcpp import BarcodeFormat, BarcodeFormats, read_barcodes

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise Usage(_("this picture is too large"))
            picture.thumbnail(ENOUGH_PIXELS)
            seen = picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        raise Usage(_("this is no picture that can be read")) from None
    paper = Image.new("RGBA", seen.size, "white")
    paper.alpha_composite(seen)
    formats = BarcodeFormats(BarcodeFormat.QRCode)
    for code in read_barcodes(paper.convert("L"), formats=formats):
        with contextlib.suppress(Usage):
            links.parse_link(code.text)
            return str(code.text)
    raise NotFound(
        _("there is no invitation's QR code in this picture"),
        hint=_("take it straight on, with the whole code in view"),
    )
