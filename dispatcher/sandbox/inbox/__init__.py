"""The inbox at `/`: what arrived, as people look at it.

    look.py      which chats and messages a page shows
    checks.py    what each of the gateway's checks said of a message
    curl.py      a message as a command that posts it again
    common.py    the faults that one switch sets
    uploads.py   uploaded files, as a page may show them
    events.py    tells open pages that something changed
    pages.py     the pages, made of templates/ and static/

Every page works without JavaScript as links and forms; static/inbox.js keeps it up to date.
"""
