"""A local Green API v1 to try things on.

A real HTTP server that is strict, keeps what arrived, and fails on demand:

contract.py   what POST /v1/messages takes, to the letter, and the gateway's error codes
gateway.py    /v1: how every request is handled
faults.py     the faults that can be injected, and the rules of /api/faults
store.py      the accepted messages, the refused requests, counts, and the SQLite database
media.py      the uploaded files, 24 hours each
api.py        /api: look, wait, inject
openapi.py    the description of all this, from the routes and types of the others
inbox/        the pages for people
app.py        all routes in one application, and serving it
command.py    the command line
process.py    the sandbox as a child process, for tests and for `send --sandbox`

What serves (app.py and all it imports) needs the extra `message-dispatcher[sandbox]`.
"""
