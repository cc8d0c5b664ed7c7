"""How many modules a configuration may ask for."""

import pytest
from torch import nn

from lseg.errors import ConfigError
from lseg.models.bounded import bounded_modules


@pytest.mark.parametrize(("most", "fit"), [(0, 1000), (1200, 1200)])
def test_as_many_modules_as_there_may_be_and_not_one_more(most, fit):
    with bounded_modules(most):
        nn.Sequential(*(nn.Identity() for _ in range(fit)))
    refused = pytest.raises(ConfigError, match=f"more than {fit} parts")
    with refused, bounded_modules(most):
        nn.Sequential(*(nn.Identity() for _ in range(fit + 1)))
    nn.Sequential(*(nn.Identity() for _ in range(fit + 1)))  # the bound is gone again
