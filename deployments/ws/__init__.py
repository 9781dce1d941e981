"""The stream: one protocol over WebSockets, described for client writers in docs/stream.md.

    Directory.poll ── Hub ──route per (channel, instrument)── Lane ── Outbox ── writer ── socket
                                                      log ── Resume ──┘

The hub polls once for all sockets of the process and encodes each event once per encoding. A lane is
one socket's place in one (channel, instrument) chain: it knows the last offset sent, so that every
frame can state the one before it. The outbox bounds what a slow client may cost.
"""
