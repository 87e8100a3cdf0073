"""A way to fake-gcs-server that speaks Google's XML API where that server does not.

obstore puts by the XML API, ``PUT /bucket/object`` with ``x-goog-if-generation-match``. The server
has that for signed URLs alone, and looks at no condition there; the same put by its JSON API keeps
to conditions. So a put is passed on as one of these, and its answer told as the XML API tells it:
https://cloud.google.com/storage/docs/xml-api/put-object-upload
"""

from __future__ import annotations

import json
from http.client import HTTPMessage
from urllib.parse import unquote, urlsplit

from tests.cloud.gateway import Gateway

_PART = "c1b5c1f2a0"


class GoogleGateway(Gateway):
    """A `Gateway` before fake-gcs-server."""

    def forward(
        self, command: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, HTTPMessage, bytes]:
        """Pass a put on by the JSON API, and all else as it is, as if it was asked directly."""
        if command != "PUT":
            others = {name: value for name, value in headers.items() if name.lower() != "host"}
            return super().forward(command, path, body, others)
        bucket, _, name = unquote(urlsplit(path).path).lstrip("/").partition("/")
        given = {key.lower(): value for key, value in headers.items()}
        metadata = {
            key.removeprefix("x-goog-meta-"): value
            for key, value in given.items()
            if key.startswith("x-goog-meta-")
        }
        query = "uploadType=multipart"
        if (generation := given.get("x-goog-if-generation-match")) is not None:
            query += f"&ifGenerationMatch={generation}"
        parts = [json.dumps({"name": name, "metadata": metadata}).encode(), body]
        kinds = ["application/json", "application/octet-stream"]
        sent = b"".join(
            f"--{_PART}\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n"
            for kind, part in zip(kinds, parts, strict=True)
        )
        status, answer, data = super().forward(
            "POST",
            f"/upload/storage/v1/b/{bucket}/o?{query}",
            sent + f"--{_PART}--\r\n".encode(),
            {"Content-Type": f"multipart/related; boundary={_PART}"},
        )
        if status != 200:
            return status, answer, data
        told, put = HTTPMessage(), json.loads(data)
        told["ETag"] = f'"{put["etag"]}"'
        told["x-goog-generation"] = put["generation"]
        return status, told, b""
