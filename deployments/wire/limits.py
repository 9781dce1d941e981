"""What one connection may cost before anybody has shown a token. Times in seconds, sizes in bytes."""

from __future__ import annotations

MAX_BODY_BYTES = 64 * 1024
"""Of a request."""
FLOOD_BYTES = 4 * MAX_BODY_BYTES
"""Of a body that the application has not refused yet, for it reads later than the bytes come."""
MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers. HAProxy passes on 15 KiB; this is for whoever connects to a replica directly."""
MAX_HEADERS = 128
MAX_PIPELINED = 16
"""Requests sent ahead on one connection."""
HEAD_S = 15.0
"""From the connection, or the first byte of a later request, until the request's headers are complete."""
BODY_S = 15.0
"""From the headers until the body is complete."""
MIN_BYTES_PER_S = 4 * 1024
"""A client that takes what is written to it at this pace, or faster, is never cut off for being slow. Below
it, each byte taken still earns its share of a second."""
STALL_S = 30.0
"""A client that takes nothing of an answer for so long is cut off."""
ABORT_S = 2.0
"""The same after closing: what is not written yet is then given up."""

MAX_MESSAGE_BYTES = 64 * 1024
"""Of one WebSocket message, over all its fragments."""
MAX_FRAGMENTS = 256
QUEUE_BYTES = 64 * 1024
QUEUE_MESSAGES = 64
"""Received and not taken by the application: beyond either bound nothing is read from the socket."""
SLICE_BYTES = 4 * 1024
"""Parsed at a time: many small frames of one read neither go far past the bounds nor keep others waiting."""
MAX_CONTROL_FRAMES = 200
CONTROL_S = 10.0
"""So many pings and pongs in so long; a client that keeps its socket alive sends one now and then."""
GOODBYE_S = 2.0
"""For the client's answer to a close frame that has left; waits for what is still to be written besides."""
FLUSH_S = 5.0
"""For what stands before a close frame."""
