"""How to reach a provider: its library, its credentials, its endpoint and how long to wait.

All of that comes from where the provider's own tools look for it. What obstore reads by itself:

- S3: ``AWS_ACCESS_KEY_ID`` with ``AWS_SECRET_ACCESS_KEY`` (and ``AWS_SESSION_TOKEN``),
  ``AWS_REGION``, ``AWS_ENDPOINT_URL``, ``AWS_ALLOW_HTTP`` and ``AWS_SKIP_SIGNATURE``. Everything
  else of the chain (``~/.aws``, ``AWS_PROFILE``, single sign-on, assumed roles, containers and
  instances) is `bitso_spread.cloud.aws_chain`'s, which is only imported for it.
- Google: ``GOOGLE_APPLICATION_CREDENTIALS``, what ``gcloud auth application-default login`` left,
  the instance's service account; ``GOOGLE_BASE_URL``.
- Azure: ``AZURE_STORAGE_ACCOUNT_NAME`` with ``AZURE_STORAGE_ACCOUNT_KEY``, a SAS token, a client's
  secret, workload and managed identity, or with ``AZURE_USE_AZURE_CLI`` what ``az login`` left;
  ``AZURE_ENDPOINT``, ``AZURE_ALLOW_HTTP``.

``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` are honoured.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bitso_spread.cloud.address import Address
from bitso_spread.cloud.errors import RefusedError, StoreError
from bitso_spread.errors import MissingExtraError

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

    Backend = S3Store | GCSStore | AzureStore

# The first that is set counts, as it does for obstore.
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_ALLOW_HTTP = {"s3": "AWS_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}
_YES = {"1", "true", "yes", "on", "y"}
_ACCOUNTS = ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_USE_EMULATOR")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request may take, and how often it is sent again."""

    connect_s: float
    request_s: float
    """For one attempt, with its answer."""
    retries: int
    retry_s: float
    """For all attempts; none begins after that."""


PATIENT = Patience(connect_s=5, request_s=30, retries=8, retry_s=60)
"""For somebody who waits for an answer. Between attempts it is 0.1 s, and each time up to thrice as
much, at most 10 s."""

PROMPT = Patience(connect_s=3, request_s=15, retries=0, retry_s=15)
"""For a caller with a loop of its own."""


def connect(address: Address, patience: Patience) -> Backend:
    """Make what sends requests to an address; none is sent yet.

    Raises:
        MissingExtraError: obstore is not installed.
        RefusedError: there are no credentials, or the endpoint is one that would show them.
    """
    try:
        from obstore.exceptions import BaseError  # noqa: PLC0415
        from obstore.store import AzureStore, GCSStore, S3Store  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("a lake in object storage", "cloud") from None
    prefix = address.prefix or None
    options: dict[str, Any] = {
        "client_options": {
            "connect_timeout": timedelta(seconds=patience.connect_s),
            "timeout": timedelta(seconds=patience.request_s),
        },
        "retry_config": {
            "max_retries": patience.retries,
            "retry_timeout": timedelta(seconds=patience.retry_s),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=10),
                "base": 3,
            },
        },
    }
    if _is_plain(address, os.environ):
        options["client_options"]["allow_http"] = True
    try:
        match address.scheme:
            case "s3":
                return S3Store(address.bucket, prefix=prefix, **options, **_aws(os.environ))
            case "gs":
                return GCSStore(address.bucket, prefix=prefix, **options)
            case "az":
                _require_account(address)
                return AzureStore(address.bucket, prefix=prefix, **options)
    except StoreError:
        raise
    except (ValueError, TypeError, OSError, BaseError) as error:
        raise RefusedError(
            f"{address} cannot be reached as the environment says: {_first_line(error)}"
        ) from error


def require_obstore() -> None:
    """Check that the library is there.

    Raises:
        MissingExtraError: it is not.
    """
    if find_spec("obstore") is None:
        raise MissingExtraError("a lake in object storage", "cloud")


def endpoint_of(address: Address, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Give the variable that names another endpoint than the provider's own, and its URL."""
    for name in _ENDPOINTS[address.scheme]:
        if url := environ.get(name):
            return name, url
    return None


def _is_plain(address: Address, environ: Mapping[str, str]) -> bool:
    """Tell whether requests go unencrypted, as they may on this machine or if that is meant."""
    found = endpoint_of(address, environ)
    if found is None or not found[1].lower().startswith("http://"):
        return False
    name, url = found
    meant = environ.get(_ALLOW_HTTP[address.scheme], "").lower() in _YES
    if not (meant or _is_loopback(urlsplit(url).hostname or "")):
        raise RefusedError(
            f"{name} is plain http, which would show credentials and data to the network: use "
            f"https, or set {_ALLOW_HTTP[address.scheme]}=true if it is meant"
        )
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _require_account(address: Address) -> None:
    if not any(os.environ.get(name) for name in _ACCOUNTS):
        raise RefusedError(f"{address} is in no storage account: set AZURE_STORAGE_ACCOUNT_NAME")


def _aws(environ: Mapping[str, str]) -> dict[str, Any]:
    """Give the options of S3 that obstore does not find by itself."""
    # Not every store like S3 has the request that deletes many.
    options: dict[str, Any] = {"disable_bulk_delete": True}
    if environ.get("AWS_SKIP_SIGNATURE", "").lower() in _YES or (
        environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY")
    ):
        return options
    try:
        from bitso_spread.cloud.aws_chain import AwsChain  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("a lake in object storage", "cloud") from None
    chain = AwsChain()
    if chain.region and not environ.get("AWS_REGION"):
        options["region"] = chain.region
    options["credential_provider"] = chain
    return options


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0].strip()
