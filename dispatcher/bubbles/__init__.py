"""Messages as WhatsApp would show them, roughly: the sandbox's inbox and `preview` share this.

    formatting.py  a text with WhatsApp's marks → HTML, any other text → what may stand in a page
    bubble.py      a payload → what its bubble shows
    search.py      whether a search finds a payload
    pages.py       templates/ and static/, for pages that hold bubbles

Everything but pages.py is pure. WhatsApp publishes no exact rules for its marks, so every page says
that the formatting is approximate.
"""
