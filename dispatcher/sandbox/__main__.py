"""`python -m dispatcher.sandbox`."""

from dispatcher.printing import guarded
from dispatcher.sandbox.command import sandbox

if __name__ == "__main__":
    with guarded():
        sandbox(prog_name="python -m dispatcher.sandbox")
