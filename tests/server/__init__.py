"""The server: rules over a real store, sessions without a network, both engines over TLS."""
