"""AWS Secrets Manager: one secret, a JSON object, read and replaced as a whole.

Who we are comes from where AWS's own tools look: environment, configuration, the machine's role.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from typing import Any

from thunes_cli.config.faults import Fault
from thunes_cli.config.json_secret import changed, settings_in
from thunes_cli.config.layer import Layer
from thunes_cli.config.source import ChangedMeanwhile, Changes, ExtraMissing, SecretStoreUnavailable, Undo

_CONNECT_S, _ANSWER_S = 3.05, 5
_NOT_THERE = "ResourceNotFoundException"


class AwsSecret:
    """A secret by its name or ARN."""

    def __init__(
        self, secret_id: str, names: Collection[str], *, prefix: str, region: str | None = None, url: str | None = None
    ) -> None:
        self._id = secret_id
        self._names = names
        self._prefix = prefix
        self._region = region
        self._url = url
        self._client: Any = None
        self.name = f"AWS Secrets Manager {secret_id}"

    def read(self) -> Layer:
        """Its entries; a secret that is not there, or is no object, is a fault."""
        try:
            document = self._document()
        except ValueError as error:
            return Layer(faults=(Fault(("AWS_SECRET_ID",), str(error), self.name),))
        except ExtraMissing as error:
            return Layer(faults=(Fault(("AWS_SECRET_ID",), f"{error.message}; {error.hint}"),))
        return settings_in(document, names=self._names, prefix=self._prefix, origin=self.name)

    def rewrite(self, changes: Changes) -> Undo:
        """A new version becomes the current one."""
        before = self._document()
        after = changed(before, changes, prefix=self._prefix)
        self._put(after)

        def undo() -> None:
            if self._document() != after:
                raise ChangedMeanwhile(self.name)
            self._put(before)

        return undo

    def _document(self) -> dict[str, Any]:
        try:
            text = self._ask("get_secret_value").get("SecretString", "")
        except LookupError:
            raise ValueError("there is no such secret") from None
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise ValueError('must be a JSON object such as {"api_key": "...", "api_secret": "..."}')  # noqa: TRY004 - its text is wrong, not a type of ours
        return document

    def _put(self, document: dict[str, Any]) -> None:
        self._ask("put_secret_value", SecretString=json.dumps(document))

    def _ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            import boto3  # noqa: PLC0415 - an extra, a second of imports
            from botocore.config import Config  # noqa: PLC0415 - as above
            from botocore.exceptions import BotoCoreError, ClientError, NoRegionError  # noqa: PLC0415 - as above
        except ImportError:
            raise ExtraMissing(self.name, "boto3", "aws") from None
        # At its debug level it logs whole answers: a secret, before anybody here knows what is to be redacted.
        logging.getLogger("botocore").setLevel(logging.INFO)
        try:
            if self._client is None:
                limits = Config(connect_timeout=_CONNECT_S, read_timeout=_ANSWER_S, retries={"total_max_attempts": 2})
                self._client = boto3.session.Session().client(
                    "secretsmanager", region_name=self._region, endpoint_url=self._url, config=limits
                )
            return dict(getattr(self._client, operation)(SecretId=self._id, **arguments))
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == _NOT_THERE:
                raise LookupError from None
            raise SecretStoreUnavailable(self.name, f"it answered {code}", hint="aws sts get-caller-identity") from None
        except NoRegionError:
            raise ValueError("needs AWS_REGION beside it") from None
        except (BotoCoreError, ValueError) as error:
            # Not its text alone: for some errors that holds the request.
            raise SecretStoreUnavailable(self.name, _why(error), hint="aws sts get-caller-identity") from None


def _why(error: Exception) -> str:
    name = type(error).__name__
    words = {
        "NoCredentialsError": "no AWS credentials were found",
        "EndpointConnectionError": "no connection",
        "ConnectTimeoutError": "no connection in time",
        "ReadTimeoutError": "no answer in time",
    }
    return words.get(name, name)
