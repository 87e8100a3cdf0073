from bitso_spread.complaint import Complaint


def test_a_trouble_is_said_at_once_when_it_changes_and_once_a_minute() -> None:
    now = 0.0
    complaint = Complaint(lambda: now)
    assert complaint.due("refused")
    now = 59.9
    assert not complaint.due("refused")
    assert complaint.due("reset")
    now = 119.8
    assert not complaint.due("reset")
    now = 119.9
    assert complaint.due("reset")


def test_a_trouble_that_comes_back_is_said_at_once() -> None:
    complaint = Complaint(lambda: 0.0)
    assert not complaint.over()
    assert complaint.due("full")
    assert complaint.over()
    assert not complaint.over()
    assert complaint.due("full")
