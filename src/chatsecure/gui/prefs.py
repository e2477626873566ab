"""What the window keeps for itself alone, beside the settings all faces share. Data only."""

OWN: dict[str, str] = {
    "window geometry": "",
    "window people": "yes",
    "window last": "#lobby",
    "window server": "",
}
"""Names and what they are at first. `window server`: the folder of a server begun here."""
