"""The inbox at `/`: what arrived, as people look at it.

    pages.py   the pages, made of templates/ and static/
    views.py   which chats and messages a page shows, and what is told about one message

Every page works without JavaScript as links and forms; static/inbox.js keeps it up to date.
"""
