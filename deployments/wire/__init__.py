"""The sockets of a gateway process below the application: what one connection may cost, and for how long.

Serve runs uvicorn in each replica; `gateway.guard_the_servers` puts the protocols of this package into it.
"""
