"""The window's settings: their names, what they are at first, what they may be. Data only."""

SMALLEST_FONT, LARGEST_FONT = 11, 28

DEFAULTS: dict[str, str] = {
    "palette": "system",
    "font_size": "14",
    "notify": "name",
    "sound": "on",
    "people": "on",
    "typing": "on",
    "geometry": "",
    "own_server": "",
    "last": "#lobby",
}

CHOICES: dict[str, tuple[str, ...]] = {
    "palette": ("system", "light", "dark", "contrast"),
    "notify": ("off", "nothing", "name", "text"),
    "sound": ("on", "off"),
    "people": ("on", "off"),
    "typing": ("on", "off"),
}
