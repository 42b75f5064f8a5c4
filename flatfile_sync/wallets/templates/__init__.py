"""Templates of a pass type: what Apple and Google are shown of a pass, checked once and rendered many times.

For: the platforms, the web door and `passes render`, which render; `daemon`, which hands `reading.read_pass_type` to
`config`. Never: the network, the store, a clock; an image is a digest here, its bytes are elsewhere.
Keeps: a checked template renders for every document, and what it renders has no key that the platform does not know.
"""
