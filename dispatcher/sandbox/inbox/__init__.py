"""The inbox at `/`, for people: links and forms, which static/inbox.js keeps up to date."""
