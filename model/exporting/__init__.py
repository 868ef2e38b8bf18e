"""Exporting: the network as a file that other runtimes read, in float32 or in 8-bit integers.

Importing OpenVINO or NNCF sends usage statistics unless `telemetry.refuse_telemetry` was called before.
"""
