"""What the README shows of Kafka, as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bitso_spread.publish.record import Record
from tests.publish.brokers import Brokers
from tests.publish.support import TOPIC, Journal, publisher

README = (Path(__file__).parents[2] / "README.md").read_text()


def block(language: str, word: str) -> str:
    (found,) = [
        text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if word in text
    ]
    return str(found)


def test_its_consumer_gets_a_sample(
    brokers: Brokers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    brokers.make(TOPIC)
    journal = Journal(tmp_path)
    journal.record(1)
    journal.close()
    with publisher(brokers, tmp_path):
        pass
    code = block("python", "Consumer(").replace("broker:9092", brokers.addresses)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102  (it is ours)
    names["consumer"].close()  # type: ignore[attr-defined]
    value = json.loads(capsys.readouterr().out)
    assert value["schema"] == 1
    assert value["book"] in journal.books


def test_its_record_has_the_fields_that_there_are() -> None:
    assert tuple(json.loads(block("json", "schema"))) == Record.__struct_fields__
