"""The referee's table of label maps, and what its warnings are about."""

from lseg.evaluation.figures import Protocol
from lseg.evaluation.referee.judge import referee

PROTOCOL = Protocol("pairs", "val", 255)
KEYWORDS = ("order", "shift", "size", "missing", "twice", "average")


def judged(data, folder, claimed=None):
    return referee(data, folder, data.classes, PROTOCOL, claimed)


def keywords(table):
    """Which keywords occur in each warning."""
    return [[word for word in KEYWORDS if word in said] for said in table["warnings"]]
