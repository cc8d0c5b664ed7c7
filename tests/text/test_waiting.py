import time

from lseg.text.waiting import told_if_slow


def test_a_short_wait_is_not_spoken_of(capsys):
    with told_if_slow("nothing", seconds=0.2):
        pass
    time.sleep(0.4)
    assert capsys.readouterr().err == ""


def test_a_long_wait_is_told_once(capsys):
    with told_if_slow("the Hub", seconds=0.05):
        time.sleep(0.5)
    assert capsys.readouterr().err == "waiting for the Hub ...\n"
