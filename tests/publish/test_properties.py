"""The file of librdkafka's properties, which holds secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitso_spread.errors import UsageError
from bitso_spread.publish.address import Address
from bitso_spread.publish.properties import VARIABLE, Properties, find_properties
from bitso_spread.publish.sender import Sender

SECRET = "hunter2"  # noqa: S105  (of nobody)
NOWHERE = Address(("127.0.0.1:9",), "spread")


def written(folder: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    path = folder / "kafka.properties"
    path.write_text(text)
    path.chmod(mode)
    return {VARIABLE: str(path)}


def test_without_the_variable_there_are_none() -> None:
    assert find_properties({}).values == {}
    assert find_properties({VARIABLE: " "}).values == {}


def test_names_and_values_are_read_and_comments_are_not(tmp_path: Path) -> None:
    text = "# ours\n\nsecurity.protocol = SASL_SSL\nsasl.password=a=b \n"
    found = find_properties(written(tmp_path, text))
    assert found.values == {"security.protocol": "SASL_SSL", "sasl.password": "a=b"}


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="chmod 600") as raised:
        find_properties(written(tmp_path, f"sasl.password={SECRET}", 0o640))
    assert SECRET not in str(raised.value)
    # Without one, anybody may.
    find_properties(written(tmp_path, "security.protocol=ssl", 0o644))


@pytest.mark.parametrize(
    "name",
    [
        "acks",
        "enable.idempotence",
        "message.timeout.ms",
        "partitioner",
        "bootstrap.servers",
        "test.mock.num.brokers",
        "retries",
        "error_cb",
        "transactional.id",
    ],
)
def test_what_the_guarantees_rest_on_cannot_be_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"line 2: " + name):
        find_properties(written(tmp_path, f"client.id=me\n{name}=0"))


def test_a_line_that_is_no_property_is_named_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 1") as raised:
        find_properties(written(tmp_path, SECRET))
    assert SECRET not in str(raised.value)


def test_a_file_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UsageError, match="No such file"):
        find_properties({VARIABLE: "/nowhere/at/all"})


def test_what_librdkafka_refuses_is_a_usage_error_without_the_secret(tmp_path: Path) -> None:
    unknown = find_properties(written(tmp_path, "no.such.property=1"))
    with pytest.raises(UsageError, match=r"no\.such\.property"):
        Sender(NOWHERE, unknown)
    secret = Properties({"ssl.key.pem": SECRET, "security.protocol": "ssl"}, "a file")
    with pytest.raises(UsageError, match="a file") as raised:
        Sender(NOWHERE, secret)
    assert SECRET not in str(raised.value)


def test_values_are_in_no_representation() -> None:
    found = Properties({"sasl.password": SECRET, "sasl.username": "alice"})
    assert SECRET not in repr(found)
    assert found.masked(f"alice may not: {SECRET}") == "alice may not: ***"
