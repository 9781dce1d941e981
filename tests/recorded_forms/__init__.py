"""Blocks and snapshots as builds of the past wrote them, kept for ever: upgrades are tested from them."""
