"""What obstore says of a request that failed, as one of our errors. Pure.

It tells status and reason in its text alone, so that is read here, and nowhere else.
"""

from __future__ import annotations

import re

from bitso_spread.cloud.address import Address
from bitso_spread.cloud.errors import RefusedError, StoreError, UnreachableError

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>|<Error><Code>(\w+)")
_URI = re.compile(r"Error performing [A-Z]+ (\S+)")
_REASON = re.compile(r'(?:message|error): "([^"]+)"|(invalid peer certificate: \w+)')
# Where credentials are to be had: an instance's own address, and the services of tokens.
_TOKENS = re.compile(r"169\.254\.|metadata\.google|/token$")
# One such object keeps obstore from listing all that is beside it.
_BAD_NAME = re.compile(r'(Path "[^"]*" contained empty path segment|Error parsing Path [^\n]*)')
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound"}
_REGION = re.compile(r"redirect without LOCATION|AuthorizationHeaderMalformed|PermanentRedirect")
_STALE = {
    *("ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"),
    *("AuthenticationFailed", "InvalidAuthenticationInfo"),  # Azure's
}


class BrokenOffError(UnreachableError):
    """An answer broke off in the middle."""


def is_of_bucket(error: BaseException) -> bool:
    """Tell whether it is the bucket that is not there, rather than an object."""
    return _code_in(str(error)) in _NO_BUCKET


def told(error: BaseException, address: Address) -> StoreError:
    """Give what went wrong with a request to a lake, and what to do about it."""
    text = str(error)
    uri = _URI.search(text)
    if uri is not None and _TOKENS.search(uri[1].partition("?")[0]):
        return RefusedError(f"no credentials for {address}: {_credentials(address)}")
    code = _code_in(text)
    if code in _NO_BUCKET:
        what = "container" if address.scheme == "az" else "bucket"
        return RefusedError(
            f"there is no {what} {address.bucket} ({address.scheme}): make it, or name another"
        )
    if _REGION.search(text):
        return RefusedError(f"{address} is in another region: set AWS_REGION to the bucket's own")
    if (bad := _BAD_NAME.search(text)) is not None:
        return StoreError(f"{address} has an object of a bad name ({bad[1]}): delete it")
    status = _STATUS.search(text)
    if status is None and "body error" in text:
        return BrokenOffError(f"{address} breaks off its answers: try again later")
    if status is None:
        return UnreachableError(f"{address} does not answer{_why(text)}: try again later")
    number = int(status[1])
    answer = f"{number} {code}" if code else str(number)
    if number == 429 or number >= 500:
        return UnreachableError(f"{address} cannot answer now ({answer}): try again later")
    if code in _STALE or number == 401:
        return RefusedError(f"{address} takes no such credentials ({answer}): renew them")
    if number == 403:
        return RefusedError(
            f"{address} may not be used so ({answer}): ask for the permission, or use other "
            "credentials"
        )
    return RefusedError(f"{address} refused a request ({answer})")


def _code_in(text: str) -> str | None:
    match = _CODE.search(text)
    return match and (match[1] or match[2])


def _why(text: str) -> str:
    if re.search(r"kind: Timeout|timed out|TimedOut", text):
        return " in time"
    found = _REASON.search(text)
    reason = found and (found[1] or found[2])
    return f" ({reason})" if reason else ""


def _credentials(address: Address) -> str:
    return {
        "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or run gcloud auth application-default login",
        "az": "set AZURE_STORAGE_ACCOUNT_KEY, or run az login and set AZURE_USE_AZURE_CLI=true",
    }[address.scheme]
