"""The inbox at `/`: what arrived, for people.

pages.py   the pages, made of templates/ and static/
views.py   which chats and messages a page shows, and what it says about one message

Every page works without JavaScript as links and forms; static/inbox.js keeps it up to date.
"""
