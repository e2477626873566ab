"""Rooms: made, entered, looked after, left."""

from .conftest import Person, World

Three = tuple[Person, Person, Person]


def test_a_room_by_invitation(three: Three) -> None:
    mara, alice, bob = three
    alice("room", "create", "#physics", "--invite-only").ok()
    alice("room", "add", "#physics", "bob").ok()
    alice.send("#physics", "only for us")
    assert bob.texts() == ["only for us"]
    assert mara.texts() == []
    assert mara("send", "#physics", "let me in").code == 5
    rooms = {room["name"]: room for room in bob("rooms", "--json").ok().records}
    assert set(rooms["#physics"]["people"]) == {"alice", "bob"}
    assert rooms["#physics"]["invite_only"]


def test_a_removed_member_reads_nothing_more(three: Three) -> None:
    _, alice, bob = three
    alice("room", "create", "#physics").ok()
    alice("room", "add", "#physics", "bob", "mara").ok()
    alice.send("#physics", "before")
    assert bob.texts() == ["before"]
    alice("room", "remove", "#physics", "bob").ok()
    alice.send("#physics", "after")
    events = bob.listen("--for", "2")
    assert [e["text"] for e in events if e["type"] == "message"] == []
    gone = [e for e in events if e["type"] == "membership"]
    assert [(e["user"], e["state"], e["by"]) for e in gone] == [("bob", "removed", "alice")]
    assert bob("send", "#physics", "hello?").code in (4, 5)


def test_leaving(three: Three) -> None:
    mara, alice, bob = three
    alice("room", "create", "#physics").ok()
    alice("room", "add", "#physics", "bob", "mara").ok()
    bob("room", "leave", "#physics").ok()
    alice.send("#physics", "bob is gone")
    assert bob.texts() == []
    events = mara.listen("--for", "2")
    assert ("bob", "left") in [(e["user"], e["state"]) for e in events if e["type"] == "membership"]
    assert [e["text"] for e in events if e["type"] == "message"] == ["bob is gone"]


def test_roles(three: Three) -> None:
    mara, alice, bob = three
    alice("room", "create", "#physics", "--invite-only").ok()
    alice("room", "add", "#physics", "bob").ok()
    assert bob("room", "remove", "#physics", "alice").code == 4
    alice("room", "role", "#physics", "bob", "manager").ok()
    bob("room", "add", "#physics", "mara").ok()
    bob("room", "remove", "#physics", "mara").ok()
    assert mara("room", "role", "#physics", "mara", "owner").code in (4, 5)
    roles = {room["name"]: room["role"] for room in bob("rooms", "--json").ok().records}
    assert roles["#physics"] == "manager"


def test_a_link_to_a_room_for_newcomers(world: World) -> None:
    mara, _ = world.invited("alice")
    mara("room", "create", "#class-3b").ok()
    link = mara("invite", "#class-3b", "--uses", "2").ok().out.strip()
    assert len(link) <= 134
    new = world.join("new", link)
    names = {room["name"] for room in new("rooms", "--json").ok().records}
    assert names == {"#lobby", "#class-3b"}
    new.send("#class-3b", "hello class")
    assert "hello class" in mara.texts()


def test_wrong_rooms(three: Three) -> None:
    _, alice, _ = three
    alice("room", "create", "#physics").ok()
    assert alice("room", "create", "#physics").code in (1, 2, 4)
    assert alice("room", "create", "#bad name").code == 2
    assert alice("room", "add", "#physics", "nobody").code == 5
    assert alice("room", "add", "#chemistry", "bob").code == 5
    assert alice("room", "leave", "#chemistry").code == 5
    done = alice("room", "add", "#fysics", "bob")
    assert done.code == 5
    assert "#physics" in done.err


def test_topic(three: Three) -> None:
    _, alice, _ = three
    alice("room", "create", "#physics").ok()
    alice("room", "topic", "#physics", "Waves and optics").ok()
    assert "Waves and optics" in alice("rooms").ok().out
