"""A wallet platform that sends nothing: it answers as the real ones do, and fails on request.

For: the demo, trying a feed out, and every test of delivery. Never: the network.
Keeps: a delivery id seen again changes nothing, and is counted.
"""
