"""TOML files, the positions of what stands in them, and findings about them in plain words."""
