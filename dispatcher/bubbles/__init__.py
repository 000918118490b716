"""Messages roughly as WhatsApp shows them, for the sandbox's inbox and for `preview`.

formatting.py  a text with WhatsApp's marks → HTML; any other text → what a page may contain
bubble.py      a payload → what its bubble shows
search.py      whether a search finds a payload
pages.py       templates/ and static/, for pages with bubbles

Everything but pages.py is pure. WhatsApp publishes no exact rules for its marks, so every page says
that the formatting is approximate.
"""
