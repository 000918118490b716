"""Shows the plan as chat bubbles in the browser; sends nothing.

reading.py   manifests → what a page shows, with every problem at its bubble
queries.py   which of it a page shows
watching.py  whether a file has changed
app.py       the page, and the files that it shows

Importing this package imports none of them.
"""
