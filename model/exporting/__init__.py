"""Exporting: the network as a file that other runtimes read, in float32 or in 8-bit integers.

Call `model.engines.openvino_core.refuse_telemetry` before importing OpenVINO or NNCF: they report their use.
"""
