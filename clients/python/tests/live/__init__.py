"""Every method of the clients on a real desktop: tests that run on both kinds of client.

`test_live_sync.py` and `test_live_async.py` collect them, and make the clients.
"""
