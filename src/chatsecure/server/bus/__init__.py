"""How committed entries reach those who push them. With one server: a function call."""
