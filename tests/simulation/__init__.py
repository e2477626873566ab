"""The simulated world: the real server core and the real client cores under one seed."""
