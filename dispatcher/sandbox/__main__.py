"""`python -m dispatcher.sandbox`."""

from dispatcher.sandbox.command import sandbox

if __name__ == "__main__":
    sandbox(prog_name="python -m dispatcher.sandbox")
