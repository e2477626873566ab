"""Messages: what is written arrives, once, in order, with those it is for."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import Person, World, eventually, run

Three = tuple[Person, Person, Person]

TEXTS = [
    "plain",
    "Zażółć gęślą jaźń – „cudzysłów”",
    "Съешь же ещё этих мягких французских булок",
    "いろはにほへと 散りぬるを",
    "שלום עולם",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "👩‍👩‍👧‍👦 🇺🇳 👍🏽 ☃️",
    "one\ntwo\n\nfour\twith a tab",
    "  blanks around  ",
    "-starts with a dash",
    "#not a room",
    '{"type":"message"} \\ \' " ` $HOME',
    "x" * 65536,
    "€" * (65536 // 3),
]


def test_texts_arrive_as_they_were_written(three: Three) -> None:
    _, alice, bob = three
    for text in TEXTS:
        alice.send("@bob", text)
    assert bob.texts("--for", "4") == TEXTS
    assert [line["text"] for line in bob("history", "@alice", "--json").records] == TEXTS
    assert bob.texts() == []


def test_a_text_of_more_than_64_kib_is_refused(three: Three) -> None:
    _, alice, _ = three
    done = alice("send", "@bob", "-", stdin="x" * 65537)
    assert done.code == 2
    assert "64 KiB" in done.err
    assert alice("send", "@bob", "-", stdin=b"\xff\xfe").code == 2
    assert alice("send", "@bob", "-", stdin="").code == 2


def test_public_is_seen_by_all_and_private_by_one(three: Three) -> None:
    mara, alice, bob = three
    alice("send", "#lobby", "to everybody").ok()
    alice("send", "@mara", "to mara only").ok()
    found = mara.listen("--for", "2")
    messages = [event for event in found if event["type"] == "message"]
    assert [(m["text"], m["from"], m["conversation"]) for m in messages] == [
        ("to everybody", "alice", "#lobby"),
        ("to mara only", "alice", "@alice"),
    ]
    assert [bool(message.get("private")) for message in messages] == [False, True]
    assert bob.texts() == ["to everybody"]
    assert alice.texts() == []


def test_an_absent_user_gets_everything_once_in_order(three: Three) -> None:
    mara, alice, bob = three
    sent = []
    for number in range(12):
        sender, target = (alice, mara)[number % 2], "#lobby"
        sender.send(target, f"number {number}")
        sent.append(f"number {number}")
    assert bob.texts() == sent
    assert bob.texts() == []
    alice.send("#lobby", "one more")
    assert bob.texts() == ["one more"]


def test_what_came_while_away_is_told_in_the_order_in_which_it_was_said(three: Three) -> None:
    mara, alice, bob = three
    bob.listen("--for", "1.5")
    said = []
    for number in range(3):
        for sender, target in ((alice, "#lobby"), (mara, "@bob"), (alice, "@bob")):
            said.append(f"{number} {target} by {sender.name}")
            sender.send(target, said[-1])
    done = bob("listen", "--json", "--count", "4", "--for", "10").ok()
    first = [event["text"] for event in done.records if event["type"] == "message"]
    assert first + bob.texts() == said
    assert bob.texts() == []
    mara.send("@bob", "live")
    assert bob.texts() == ["live"]


def test_events_are_given_once_across_listens_with_count(three: Three) -> None:
    _, alice, bob = three
    bob.listen("--for", "1.5")
    for number in range(6):
        alice.send("@bob", str(number))
    seen = []
    for _ in range(3):
        done = bob("listen", "--json", "--count", "2", "--for", "10").ok()
        seen += [event["text"] for event in done.records if event["type"] == "message"]
    seen += bob.texts()
    assert seen == [str(number) for number in range(6)]


def test_listen_and_send_at_once_on_one_profile(three: Three) -> None:
    _, alice, bob = three
    listening = bob.start("listen", "--json")
    assert json.loads(listening.line())["state"] == "online"
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda n: bob.send("@alice", f"from bob {n}"), range(8)))
        list(pool.map(lambda n: alice.send("@bob", f"from alice {n}"), range(8)))
    assert len(set(ids)) == 8
    heard = [listening.event("message")["text"] for _ in range(8)]
    assert sorted(heard) == [f"from alice {n}" for n in range(8)]
    assert sorted(alice.texts()) == [f"from bob {n}" for n in range(8)]
    assert listening.end() == 0


def test_ids_are_printed_and_events_carry_them(three: Three) -> None:
    _, alice, bob = three
    id_ = alice.send("@bob", "hello")
    event = bob.listen("--for", "2")[-1]
    assert event["id"] == id_
    assert event["at"].endswith("Z")
    done = alice("send", "--json", "@bob", "again").ok()
    assert done.records[0]["state"] == "stored"


def test_waiting_for_delivery_and_for_reading(three: Three) -> None:
    _, alice, bob = three
    done = alice("send", "@bob", "are you there?", "--wait", "delivered", "--timeout", "1.5")
    assert done.code == 7, done.err
    assert done.out.strip()
    listening = bob.start("listen", "--json")
    listening.line()
    alice("send", "@bob", "now?", "--wait", "delivered", "--timeout", "20").ok()
    alice("send", "@bob", "and read?", "--wait", "read", "--timeout", "20").ok()
    receipts = [e for e in alice.listen("--for", "1.5") if e["type"] == "receipt"]
    assert {receipt["state"] for receipt in receipts} == {"delivered", "read"}
    assert listening.end() == 0


def test_unknown_targets_are_told_the_nearest(three: Three) -> None:
    _, alice, _ = three
    done = alice("send", "@bobb", "hi")
    assert (done.code, done.out) == (5, "")
    assert "bob" in done.err
    done = alice("send", "--json", "#loby", "hi")
    assert done.code == 5
    assert done.records[-1]["code"] == 5
    assert "#lobby" in done.err
    assert alice("history", "#nowhere").code == 5
    assert alice("file", "@nobody", __file__).code == 5


def test_a_message_waits_for_the_server(three: Three, world: World) -> None:
    _, alice, bob = three
    alice.send("@bob", "first")
    assert bob.texts() == ["first"]
    assert world.server.stop(signal.SIGKILL) != 0
    done = alice("send", "@bob", "while it is down")
    assert done.code == 3
    assert "queued" in done.err
    done = bob("listen", "--json", "--for", "1")
    assert done.code == 3
    assert [record.get("type") or record["code"] for record in done.records] == ["connection", 3]
    assert done.records[0]["state"] == "offline"
    world.server.restart()
    alice.send("@bob", "after")
    assert bob.texts() == ["while it is down", "after"]


def test_listen_goes_on_through_a_restart(three: Three, world: World) -> None:
    _, alice, bob = three
    listening = bob.start("listen", "--json")
    assert listening.event("connection")["state"] == "online"
    assert world.server.stop() == 0
    assert listening.event("connection")["state"] == "offline"
    world.server.restart()
    assert listening.event("connection")["state"] == "online"
    alice.send("@bob", "still there?")
    assert listening.event("message")["text"] == "still there?"
    assert listening.end() == 0


def test_who_comes_goes_and_vanishes_is_seen(three: Three) -> None:
    mara, alice, _ = three
    watching = mara.start("listen", "--json")
    watching.event("connection")
    there = alice.start("listen", "--json")
    there.line()
    event = watching.event("presence")
    assert (event["user"], event["state"]) == ("alice", "online")
    assert there.end() == 0
    event = watching.event("presence")
    assert (event["user"], event["state"]) == ("alice", "offline")
    there = alice.start("listen", "--json")
    there.line()
    assert watching.event("presence")["state"] == "online"
    there.end(signal.SIGKILL)
    assert watching.event("presence")["state"] == "offline"
    watching.end()


def test_listen_ends_as_it_should(three: Three) -> None:
    _, alice, bob = three
    assert bob("listen", "--for", "1").code == 0
    listening = bob.start("listen")
    assert "connection online" in listening.line()
    assert listening.end(signal.SIGINT) == 130
    listening = bob.start("listen")
    listening.line()
    alice.send("#lobby", "for people")
    assert listening.until("for people").endswith("alice -> #lobby: for people")
    # Whoever reads goes away.
    assert listening.process.stdout is not None
    listening.process.stdout.close()
    assert listening.process.wait(10) == 0
    assert listening.process.stderr is not None
    assert listening.process.stderr.read() == ""


def test_history_search_users_and_rooms_for_people_and_machines(three: Three) -> None:
    _, alice, bob = three
    for number in range(5):
        alice.send("@bob", f"apple number {number}")
    alice.send("#lobby", "a **pear**")
    assert bob("history", "@alice", "--last", "2").ok().out.count("\n") == 2
    lines = bob("history", "@alice", "--json", "--last", "2").ok().records
    assert [line["text"] for line in lines] == ["apple number 3", "apple number 4"]
    assert len(bob("search", "apple", "--json").ok().records) == 5
    assert "pear" in bob("search", "pear").ok().out
    assert bob("search", "nothinglikethat").ok().out == ""
    rooms = {room["name"]: room for room in bob("rooms", "--json").ok().records}
    assert rooms["#lobby"]["kind"] == "lobby"
    assert rooms["#lobby"]["last"] == "a pear"
    assert rooms["@alice"]["kind"] == "private"
    for command in ("users", "rooms"):
        out = bob(command, "--plain").ok().out
        assert "alice" in out
        assert "─" not in out


def test_what_others_write_is_made_harmless(three: Three) -> None:
    _, alice, bob = three
    evil = "\x1b[2J\x1b]0;title\x07 \u202eevil\nbob -> #lobby: forged"
    alice.send("@bob", evil)
    done = bob("listen", "--for", "1.5").ok()
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
    assert not any(line.startswith("bob -> #lobby") for line in done.out.splitlines())
    assert bob("history", "@alice", "--json").ok().records[0]["text"] == evil


def test_quiet_says_nothing_but_results(three: Three) -> None:
    _, alice, _ = three
    done = alice("-q", "send", "@bob", "hi").ok()
    assert done.err == ""
    assert done.out.count("\n") == 1
    assert alice("invite", "-q").ok().err == ""


@pytest.mark.slow
def test_a_thousand_messages_in_order(three: Three) -> None:
    _, alice, bob = three
    chat = alice.start("cli")
    chat.line()
    for number in range(1000):
        chat.type(f"@bob {number}")
    code, _, err = chat.ended()
    assert (code, err) == (0, "")
    assert bob.texts("--for", "10") == [str(number) for number in range(1000)]


def test_a_stranger_profile_folder(tmp_path: object) -> None:
    done = run("--profile", f"{tmp_path}/none", "listen", "--for", "1")
    assert done.code == 1
    assert "join" in done.err


def test_the_private_chat_is_one_for_both(three: Three) -> None:
    """Both write first, at once: one conversation comes of it and nothing is lost."""
    _, alice, bob = three
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(alice.send, "@bob", "from alice")
        other = pool.submit(bob.send, "@alice", "from bob")
        one.result()
        other.result()

    def both() -> bool:
        for person in (alice, bob):
            person("listen", "--for", "1").ok()
        shown = [
            {line["text"] for line in person("history", target, "--json").ok().records}
            for person, target in ((alice, "@bob"), (bob, "@alice"))
        ]
        return shown == [{"from alice", "from bob"}] * 2

    eventually(both, "the two do not share one conversation")
