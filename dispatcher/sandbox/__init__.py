"""A local Green API v1 to try things on.

A real HTTP server that is strict, remembers what arrived, and fails on demand:

    contract.py   what POST /v1/messages takes, to the letter
    gateway.py    /v1: the way of every request, and the work
    faults.py     the faults that can be injected, the rules of /api/faults
    responses.py  the gateway's codes, and the body that carries them
    messages.py   the accepted messages; chats.py: by recipient
    media.py      the uploaded files, 24 hours each
    refusals.py   what was refused; counts.py: how many requests there were
    storage.py    keeps messages and uploads, for --storage
    changes.py    tells those who wait that something changed
    api.py        /api: look, wait, inject
    openapi.py    the description of all this
    guard.py      keeps foreign web pages out
    inbox/        the pages for people
    app.py        all routes in one application
    server.py     serves it until it is told to stop
    command.py    the command line
    process.py    the sandbox as a child process, for tests and for `send --sandbox`

Importing this package imports none of them. What serves (server.py and all it imports) needs the
extra `message-dispatcher[sandbox]`; process.py and command.py do not.
"""
