"""The headless client: everything a chat does, without a face."""
