#!/usr/bin/python3
# For tests: owns the clipboard and misbehaves. Usage: bad_owner.py KIND
#   stalls: answers no request. stops: ends in the middle of a transfer in pieces.
#   endless: sends pieces without end. drips: sends a byte each 0.3 s without end.
#   slow: answers after 1.2 s. names: lists formats with long names.
#   late: sends two pieces of A, and the others after 4 s. pieces: sends pieces of B each 0.4 s.
import select
import sys
import time

from receiver import say, until_abandoned
from Xlib import X, Xatom, display
from Xlib.protocol import event

kind = sys.argv[1]
until_abandoned()
server = display.Display()
root = server.screen().root
window = root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
name = server.intern_atom("CLIPBOARD")
window.set_selection_owner(name, X.CurrentTime)
server.sync()
say("ready")
targets, html, incr = (server.intern_atom(each) for each in ("TARGETS", "text/html", "INCR"))
sent = 0
drip = None
while True:
    if drip is not None:
        while not server.pending_events():
            select.select([server.fileno()], [], [], max(0, tick - time.monotonic()))
            if time.monotonic() >= tick:
                drip[0].change_property(drip[1], html, 8, b"x")
                server.flush()
                tick = time.monotonic() + 0.3
    seen = server.next_event()
    if seen.type == X.SelectionRequest and kind != "stalls":
        requestor, place = seen.requestor, seen.property
        if kind == "slow":
            time.sleep(1.2)
        if seen.target == targets:
            names = [server.intern_atom(f"f{n}" + "x" * 60_000) for n in range(64 * (kind == "names"))]
            requestor.change_property(place, Xatom.ATOM, 32, [targets, html, *names])
        elif kind == "names":
            place = 0
        elif kind == "slow":
            requestor.change_property(place, html, 8, b"slow")
        else:
            requestor.change_attributes(event_mask=X.PropertyChangeMask)
            requestor.change_property(place, incr, 32, [1000])
            drip = (requestor, place) if kind == "drips" else None
            tick = time.monotonic() + 0.3
        answer = event.SelectionNotify(
            time=seen.time,
            requestor=requestor,
            selection=seen.selection,
            target=seen.target,
            property=place,
        )
        requestor.send_event(answer)
        server.flush()
    elif seen.type == X.PropertyNotify and seen.state == X.PropertyDelete:
        sent += 1
        if kind == "drips" or kind == "stops" and sent > 3:
            continue
        if kind in ("late", "pieces"):
            time.sleep((4 if sent == 3 else 0) if kind == "late" else 0.4)
            letter = b"A" if kind == "late" else b"B"
            seen.window.change_property(seen.atom, html, 8, letter * 1000 * (sent <= 5))
            server.flush()
            continue
        seen.window.change_property(seen.atom, html, 8, b"x" * 60_000)
        server.flush()
