"""Where results go."""

from __future__ import annotations

# kind -> module and class; as text, so that a program loads only what it uses
SINKS: dict[str, str] = {
    "video": "pipeline.sinks.video:VideoSink",
    "images": "pipeline.sinks.image_files:ImagesSink",
    "json": "pipeline.sinks.jsonl:JsonLinesSink",
    "latest": "pipeline.sinks.latest:LatestSink",
}
