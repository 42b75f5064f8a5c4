"""The verbs of the line: receive claim read validate plan apply report deliver settle; `line.py` alone orders them.

For: the doors (`sftp`, `work`). Never: a protocol, a concrete platform, an engine's product.
Keeps: no stage calls another; what a stage found travels on with the drop; failures are values that reach the report.
"""
