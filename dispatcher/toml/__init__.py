"""TOML files: reading them, where keys and values stand in them, and why a text is not TOML."""

KeyPath = tuple[str | int, ...]  # of keys and of positions in arrays: ("messages", 0, "to")
