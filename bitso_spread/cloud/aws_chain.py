"""What botocore finds of AWS credentials, found again for as long as a recorder runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from bitso_spread.cloud.errors import RefusedError

# Tools that log in write new ones into ~/.aws and tell nobody. A look takes 0.1 ms.
_LOOK_EVERY = timedelta(minutes=1)
# obstore asks for others once the ones it has expire within five minutes: see TokenCache in
# https://github.com/apache/arrow-rs-object-store/blob/main/src/client/token.rs.
_ASKED_AHEAD = timedelta(minutes=5)


class AwsChain:
    """Gives the credentials of botocore's chain, and looks for them again whenever it is asked.

    What has an end that botocore knows is renewed by it. Where it finds the bare words of a
    profile, they are read anew from their file, and those of a role where it cannot be assumed.

    Raises:
        RefusedError: there are none.
    """

    def __init__(self) -> None:
        try:
            session = get_session()
            credentials = session.get_credentials()
            self.region: str | None = session.get_config_variable("region")
        except BotoCoreError as error:
            reason = str(error).partition("\n")[0].strip()
            raise RefusedError(f"no AWS credentials: {reason}") from error
        if credentials is None:
            raise RefusedError(
                "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "AWS_PROFILE, or run aws configure"
            )
        self._session = session
        self._credentials = credentials

    def __call__(self) -> dict[str, Any]:
        """Give them as obstore takes them, with a time at which to ask again."""
        if not isinstance(self._credentials, RefreshableCredentials):
            self._look_again()
        try:
            frozen = self._credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError):
            # A session reads once what roles are assumed with.
            self._session = get_session()
            self._look_again()
            frozen = self._credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _ASKED_AHEAD + _LOOK_EVERY,
        }

    def _look_again(self) -> None:
        """Look where they were found, and nowhere else; a file may be half-written just now."""
        try:
            chain = self._session.get_component("credential_provider")
            found = chain.get_provider(self._credentials.method).load()
        except BotoCoreError:
            return
        if found is not None:
            self._credentials = found
