"""One profile = one device of one user: an encrypted database and the key that opens it."""
