"""TOML files: reads them, finds where keys and values stand, and says why a text is not TOML."""

KeyPath = tuple[str | int, ...]  # of keys and of indexes of arrays: ("messages", 0, "to")
