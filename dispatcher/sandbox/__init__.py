"""A local Green API v1 to try things on.

A real HTTP server that is strict, remembers what arrived, and misbehaves on demand:

    contract.py      what POST /v1/messages takes, to the letter
    errors.py        the gateway's codes, and the body that carries them
    refusals.py      what was refused
    messages.py      the accepted messages; chats.py: by recipient
    storage.py       keeps messages and uploads, for --storage
    bell.py          tells those who wait that something changed
    media.py         the uploaded files, 24 hours each
    counts.py        how many requests, uploads and connections there were
    faults.py        the rules of /api/faults, and which one applies
    misbehaviour.py  what each fault does to a request
    connection.py    breaks the connection of a request
    answers.py       answers in JSON
    call.py          one /v1 request as it is read
    endpoint.py      the way of every /v1 request
    gateway.py       /v1: the work
    api.py           /api: look, wait, inject
    guard.py         keeps foreign web pages out
    inbox/           the pages for people
    openapi.py       the description of all this; schemas.py: its schemas
    app.py           all routes in one application
    server.py        serves it until it is told to stop
    command.py       the command line
    process.py       the sandbox as a child process, for tests and for `send --sandbox`

Importing this package imports none of them. What serves (server.py and all it imports) needs the
extra `message-dispatcher[sandbox]`; process.py and command.py do not.
"""
