"""The small picture beside a picture: small, and telling nothing but what is seen."""

import io
import random
from pathlib import Path

import pytest
from PIL import Image

from chatsecure.client import thumbnails
from chatsecure.client.content import MAX_THUMBNAIL_BYTES
from chatsecure.client.thumbnails import SIDE, make_thumbnail


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_has_a_small_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    noise = Image.frombytes("RGB", (1200, 900), random.Random(1).randbytes(1200 * 900 * 3))
    noise.save(path, kind)
    made = make_thumbnail(path)
    assert 0 < len(made) <= MAX_THUMBNAIL_BYTES
    with Image.open(io.BytesIO(made)) as small:
        assert small.format == "JPEG"
        assert max(small.size) == SIDE


def test_it_says_nothing_of_place_and_time_and_stands_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = 6, "canary camera", "2026:11:24 12:00:00"
    Image.new("RGB", (800, 400), "red").save(path, "JPEG", exif=exif, comment=b"canary")
    made = make_thumbnail(path)
    assert b"canary" not in made
    assert b"Exif" not in made
    with Image.open(io.BytesIO(made)) as small:
        assert small.height > small.width
        assert not small.getexif()


def test_what_is_no_picture_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in (("a.jpg", b"no picture"), ("b.png", b""), ("c.txt", b"text")):
        (tmp_path / name).write_bytes(content)
        assert make_thumbnail(tmp_path / name) == b""
    monkeypatch.setattr(thumbnails, "MAX_PIXELS", 100)
    Image.new("RGB", (20, 20)).save(tmp_path / "large.png")
    assert make_thumbnail(tmp_path / "large.png") == b""
