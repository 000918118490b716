"""`dispatcher`, as it is."""

import sys

from dispatcher.cli import main

main(sys.argv[1:])
