#!/usr/bin/python3
# For tests: owns the clipboard and misbehaves. Usage: bad_owner.py stalls|stops|endless
#   stalls: answers no request. stops: ends in the middle of a transfer in pieces.
#   endless: sends pieces without end.
import sys

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
while True:
    seen = server.next_event()
    if seen.type == X.SelectionRequest and kind != "stalls":
        requestor, place = seen.requestor, seen.property
        if seen.target == targets:
            requestor.change_property(place, Xatom.ATOM, 32, [targets, html])
        else:
            requestor.change_attributes(event_mask=X.PropertyChangeMask)
            requestor.change_property(place, incr, 32, [1000])
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
        if kind == "stops" and sent > 3:
            continue
        seen.window.change_property(seen.atom, html, 8, b"x" * 60_000)
        server.flush()
