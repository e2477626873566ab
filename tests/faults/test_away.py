"""Who was away for long comes back to everything, in order, and soon."""

import json
import time

import pytest

from chatsecure.client.client import Client
from chatsecure.client.profile.folder import open_profile
from system.conftest import Person, Server

Three = tuple[Person, Person, Person]
EPOCHS, EACH = 200, 49
SOON_S = 120.0
"""Some 6 seconds are usual; a machine that is busy with other things may take many times that."""


@pytest.mark.slow
async def test_who_was_away_for_10_000_entries_and_200_epochs_catches_up(
    three: Three, server: Server
) -> None:
    """Each text once and in order, each change of the group taken, no gap told, and the way on is
    open: bob writes and is read."""
    mara, alice, bob = three
    mara("room", "create", "#den").ok()
    mara("room", "add", "#den", "bob", "alice").ok()
    bob.texts()
    profile = open_profile(mara.folder)
    sent: list[str] = []
    began = time.monotonic()
    async with Client(profile, receive_files=False) as client:
        await client.ready(30)
        for epoch in range(EPOCHS):
            for _ in range(EACH):
                sent.append(f"text {len(sent)}")
                id_ = await client.send("#den", sent[-1])
            await client.set_topic("#den", f"topic {epoch}")
        sent.append("the last one")
        id_ = await client.send("#den", sent[-1])
        await client.wait(id_, "stored", 60)
        last = client.delivery(id_).seq or 0
    profile.close()
    written_s = time.monotonic() - began
    assert last >= 10_000
    began = time.monotonic()
    listening = bob.start("listen", "--json")
    events = []
    while not events or events[-1].get("text") != sent[-1]:
        events.append(json.loads(listening.line()))
    took_s = time.monotonic() - began
    print(
        f"{last} entries in {EPOCHS} epochs: written in {written_s:.1f} s, read in {took_s:.1f} s"
    )
    assert [event for event in events if event["type"] == "gap"] == []
    texts = [event["text"] for event in events if event["type"] == "message"]
    assert texts == sent
    topics = [event["topic"] for event in events if event["type"] == "room"]
    assert topics == [f"topic {epoch}" for epoch in range(EPOCHS)]
    assert took_s < SOON_S
    watching = alice.start("listen", "--json")
    bob.send("#den", "here again", "--timeout", "20")
    while watching.event("message")["text"] != "here again":
        pass
    for running in (watching, listening):
        running.process.kill()
        running.process.communicate()
