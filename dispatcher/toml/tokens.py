"""Patterns for the values of TOML, for text that tomli has parsed.

Each loop in them can continue in one way only, so that failing takes no longer than matching.
(Possessive groups would ensure it, but early releases of Python 3.11 get them wrong.)
"""

BASIC = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
LITERAL = r"'[^'\n]*'"
# One or two quotes of the content may precede the closing three, hence up to five in a row.
LONG_BASIC = r'"""[^"\\]*(?:(?:\\.|(?!""")")[^"\\]*)*"{3,5}'
LONG_LITERAL = r"'''[^']*(?:(?!''')'[^']*)*'{3,5}"
TEXT = rf"{LONG_BASIC}|{LONG_LITERAL}|{BASIC}|{LITERAL}"
# Numbers, dates and truth values. Only a date is followed by a blank and a digit: the time of day.
PLAIN = r"[\w:.+-]+(?: \d[\w:.+-]*)?"
