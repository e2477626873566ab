"""The style sheet: where things stand and what they give way to on a narrow screen."""

WIDE = 90
"""From so many columns on, the people are beside the conversation."""
MIDDLE = 60
"""From so many columns on, the list of conversations is beside it."""

CSS = """
Screen { background: $chat-ground; color: $chat-text; layout: horizontal; }
#side { width: 26; background: $chat-side; padding-top: 0; }
#people { width: 24; background: $chat-side; }
#middle { width: 1fr; }
#head { height: 1; background: $chat-room; color: $chat-text; text-style: bold; padding: 0 1; }
#head.private { background: $chat-private; color: $chat-whisper; }
#banner { height: auto; max-height: 4; background: $chat-warning-ground; color: $chat-text;
          padding: 0 1; display: none; }
#banner.danger { background: $chat-danger-ground; text-style: bold; }
#banner.shown { display: block; }
#history { height: 1fr; background: $chat-ground; }
#about { height: 1; background: $chat-ground; color: $chat-dim; padding: 0 1; }
#composer { height: auto; min-height: 3; max-height: 10; background: $chat-ground;
            color: $chat-text; border: round $chat-dim; padding: 0 1;
            border-title-color: $chat-accent; scrollbar-size: 1 1; }
#composer:focus { border: round $chat-accent; }
#composer.private { border: heavy $chat-whisper; border-title-color: $chat-whisper; }
#composer .text-area--cursor { background: $chat-text; color: $chat-ground; }
#composer .text-area--selection { background: $chat-selected; }
.folded { display: none; }
.over #middle { display: none; }
.over #side, .over #people { width: 1fr; }
ModalScreen { align: center middle; background: $chat-ground 60%; }
.box { width: 64; max-width: 96%; height: auto; max-height: 90%; background: $chat-side;
       color: $chat-text; border: round $chat-accent; padding: 0 1;
       border-title-color: $chat-accent; scrollbar-size: 1 1; }
.box.large { width: 100; height: 90%; }
.box Rows { background: $chat-side; height: 1fr; }
.box Input { background: $chat-ground; color: $chat-text; border: round $chat-dim; height: 3; }
.box Input:focus { border: round $chat-accent; }
.box .said { color: $chat-dim; height: auto; }
.safety { height: auto; }
.qr { width: auto; height: auto; background: #ffffff; color: #000000; margin: 1 2 1 0; }
.digits { width: 1fr; height: auto; margin: 1 0; }
"""
