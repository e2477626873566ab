"""A bar with rate and time left on a terminal, lines of JSON for programs."""

import json
from types import SimpleNamespace

import pytest

from chatsecure.cli import output, progress
from chatsecure.cli.output import Options, Output, width
from chatsecure.cli.progress import Bar

MB = 1_000_000


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "is_terminal", lambda _: True)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("on_terminal")
def test_a_bar_tells_rate_and_time_left(
    now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    bar = Bar("big.bin", Output(Options()))
    bar.show(0, 100 * MB)
    now[0] += 2
    bar.show(20 * MB, 100 * MB)
    said = capsys.readouterr().err
    assert "big.bin  100 MB" in said
    assert "20%" in said
    assert "10.0 MB/s" in said
    assert "0:08 left" in said
    now[0] += 8
    bar.show(100 * MB, 100 * MB)
    assert "left" not in capsys.readouterr().err.rstrip().rpartition("\r")[2]
    bar.close()


@pytest.mark.usefixtures("on_terminal")
@pytest.mark.parametrize("columns", [50, 60, 80, 200])
def test_a_bar_is_never_as_wide_as_the_terminal(
    now: list[float],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
) -> None:
    monkeypatch.setattr(Output, "columns", columns)
    bar = Bar("a" * 20 + ".bin", Output(Options()))
    bar.show(0, 1000 * MB)
    now[0] += 2
    bar.show(20 * MB, 1000 * MB)
    drawn = [line.rstrip() for line in capsys.readouterr().err.split("\r")]
    assert all(width(line) < columns for line in drawn)
    assert ("─" in drawn[-1]) is (columns > 60)
    assert drawn[-1].endswith("1:38 left")


@pytest.mark.usefixtures("on_terminal")
def test_what_goes_on_is_told_and_counts_in_no_rate(
    now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    bar = Bar("big.bin", Output(Options()))
    bar.show(40 * MB, 100 * MB)
    now[0] += 1
    bar.show(50 * MB, 100 * MB)
    said = capsys.readouterr().err
    assert "goes on at 40.0 MB of 100 MB" in said
    assert "10.0 MB/s  0:05 left" in said


def test_a_program_is_told_once_a_second_in_json(
    now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    bar = Bar("big.bin", Output(Options(json=True)))
    for _ in range(25):
        bar.show(int((now[0] - 100) * 10 * MB), 100 * MB)
        now[0] += 0.125
    bar.close()
    results, said = capsys.readouterr()
    assert results == ""
    lines = [json.loads(line) for line in said.splitlines()]
    assert [line["seconds_left"] for line in lines] == [9, 8, 7]
    assert lines[0] == {
        "file": "big.bin",
        "done": 10 * MB,
        "size": 100 * MB,
        "bytes_per_s": 10 * MB,
        "seconds_left": 9,
    }


def test_nobody_who_does_not_look_is_told(
    now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    bar = Bar("big.bin", Output(Options()))
    now[0] += 5
    bar.show(0, 10)
    bar.show(10, 10)
    bar.close()
    assert capsys.readouterr() == ("", "")
