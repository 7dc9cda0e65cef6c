#!/usr/bin/python3
# Receiver of text for tests: starts LibreOffice Writer and prints the text of
# its document. Usage: text_libreoffice.py PLUGIN [X Y W H], where PLUGIN is the
# toolkit: gen (plain X11) or gtk3.
# Everything that changes typed text is switched off.
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uno
from com.sun.star.connection import NoConnectException
from com.sun.star.uno import Exception as UnoException
from receiver import place, say
from text_receiver import REST, Program, Screen, commands

PLUGIN = sys.argv[1]
X, Y, W, H = place(sys.argv[2:])
OFF = {
    "Office.Common/AutoCorrect": [
        "TwoCapitalsAtStart", "CapitalAtStartSentence", "ChangeUnderlineWeight", "SetInetAttribute", "ChangeOrdinalNumber",
        "AddNonBreakingSpace", "ChangeDash", "RemoveDoubleSpaces", "ReplaceSingleQuote", "ReplaceDoubleQuote",
        "UseReplacementTable", "CorrectAccidentalCapsLock", "TransliterateRTL", "ChangeAngleQuotes", "SetDOIAttribute"],
    "Office.Writer/AutoFunction/Completion": ["Enable"],
    "Office.Writer/AutoFunction/Format/ByInput": ["Enable"],
    "Office.Writer/AutoFunction/Format/ByInput/ApplyNumbering": ["Enable"],
    "Office.Linguistic/SpellChecking": ["IsSpellAuto"],
    "Office.Common/I18N/CTL": ["CTLSequenceChecking"],
    "Office.Common/Misc": ["ShowTipOfTheDay", "FirstRun", "CrashReport", "ShowDonation"],
    "Office.Recovery/AutoSave": ["Enabled"],
    "Office.Common/Save/Document": ["AutoSave"],
}


def profile(folder):
    """Writes the settings of a new profile."""
    items = "".join(
        f'<item oor:path="/org.openoffice.{path}"><prop oor:name="{name}" oor:op="fuse"><value>false</value></prop></item>\n'
        for path, names in OFF.items() for name in names)
    os.makedirs(os.path.join(folder, "profile", "user"))
    with open(os.path.join(folder, "profile", "user", "registrymodifications.xcu"), "w") as settings:
        settings.write('<?xml version="1.0" encoding="UTF-8"?>\n'
                       '<oor:items xmlns:oor="http://openoffice.org/2001/registry" '
                       'xmlns:xs="http://www.w3.org/2001/XMLSchema">\n' + items + "</oor:items>\n")


def connect():
    """Returns the desktop object of the program once it accepts connections."""
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
    while True:
        try:
            remote = resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
            return remote.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", remote)
        except NoConnectException:
            time.sleep(0.05)


def clear():
    global before, changed
    with state:
        document.Text.String = ""
        before, changed = "", None
        say("cleared")


folder = tempfile.mkdtemp(prefix="receiver-")
profile(folder)
pipe = os.path.basename(folder)
program = Program(
    ["soffice", f"-env:UserInstallation=file://{folder}/profile", "--norestore", "--nologo", "--nodefault", "--nolockcheck",
     "--nofirststartwizard", f"--accept=pipe,name={pipe};urp;"],
    folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    env={**os.environ, "SAL_USE_VCLPLUGIN": PLUGIN, "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1"})
program.signals = (signal.SIGKILL,)  # it takes 3 s to end in another way
program.end_with_this()
state = threading.Lock()
state.acquire()  # until the document is ready
commands(clear, program.end)
try:
    document = connect().loadComponentFromURL(
        "private:factory/swriter", "_blank", 0, ())
    controller = document.CurrentController
    # Only the text, in the whole window.
    controller.Frame.LayoutManager.setVisible(False)
    view = controller.ViewSettings
    view.ShowOnlineLayout, view.ShowHoriRuler, view.ShowVertRuler, view.ShowHoriScrollBar = True, False, False, False
    screen = Screen()
    window = screen.wait(lambda: screen.of_session(program.process.pid))[0]
    screen.put(window, X, Y, W, H)
    screen.focus(window)
    before, changed = document.Text.String, None
    while not controller.Frame.isActive():
        screen.focus(window)
        time.sleep(0.1)
    say("ready", **screen.at_rest(window, 0.5))
    state.release()
    while True:
        with state:
            text = document.Text.String
            if text != before:
                before, changed = text, time.monotonic()
            elif changed and time.monotonic() - changed >= REST / 1000:
                changed = None
                say("text", text=text)
        time.sleep(0.02)
except UnoException as problem:
    if program.process.poll() is None:
        print(problem, file=sys.stderr)
program.end()
