"""How much the agreement of two label maps can prove: chance-corrected, over separate regions."""

import numpy as np

_SIDE = 64  # regions are looked for in maps of about this size


def kappa(confusion: np.ndarray) -> float:
    """Cohen's kappa (1960): 1 if all pixels agree, about 0 for independent maps, however skewed.

    Args:
        confusion: (N, M) pixels with N ≤ M: rows are truth, columns prediction, those from N on
            are of no class.
    """
    total = confusion.sum()
    if not total:
        return 0.0
    count = len(confusion)
    agreed = np.trace(confusion) / total
    rows, columns = confusion.sum(1) / total, confusion.sum(0)[:count] / total
    chance = float(rows @ columns)
    return float((agreed - chance) / (1 - chance)) if chance < 1 else 0.0


def pair_kappa(confusion: np.ndarray, row: int, column: int) -> float:
    """Kappa of "is class `row`" against "is called `column`", among (N, M) pixels."""
    both = confusion[row, column]
    true, called = confusion[row].sum() - both, confusion[:, column].sum() - both
    rest = confusion.sum() - both - true - called
    return kappa(np.array([[both, true], [called, rest]]))


def regions(label_map: np.ndarray, ignore_index: int | None = None) -> int:
    """Connected regions of equal values in (H, W), seen at a coarse resolution.

    Those of `ignore_index` do not count.
    """
    step = -(-max(label_map.shape) // _SIDE)
    coarse = label_map[::step, ::step]
    number = np.arange(coarse.size).reshape(coarse.shape)
    links = []
    for first, second in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        joined = coarse[first] == coarse[second]
        links.append(np.stack([number[first][joined], number[second][joined]]))
    one, other = np.concatenate(links, 1)
    owner = number.ravel()  # of each cell: a cell of its region with a smaller number, or itself
    while len(one):
        low, high = np.minimum(owner[one], owner[other]), np.maximum(owner[one], owner[other])
        if (low == high).all():
            break
        np.minimum.at(owner, high, low)
        while not np.array_equal(owner, jumped := owner[owner]):
            owner = jumped
    first_cells = owner == np.arange(len(owner))
    return int((first_cells & (coarse.ravel() != ignore_index)).sum())


class RegionCounter:
    """Counts what can be taken for separate observations of which class is called what.

    Pixels of a region go together, so a picture counts for as many as the simpler of its two maps
    has regions. Beyond the first pictures one each.
    """

    def __init__(self, ignore_index: int | None, pictures: int = 32) -> None:
        """Looks for regions in so many pictures."""
        self.ignore_index = ignore_index
        self.regions = 0
        self.pictures = 0
        self._looked_at = pictures

    def add(self, prediction: np.ndarray, truth: np.ndarray) -> None:
        """Counts a picture's two maps."""
        found = 1
        if self.pictures < self._looked_at:
            found = min(regions(prediction), regions(truth, self.ignore_index))
        self.pictures += 1
        self.regions += max(1, found)


def bits(confusion: np.ndarray, pictures: int, regions: int) -> float:
    """How unlikely it is, in bits, that names given blindly to regions are right.

    In a picture one region can be any class, each further one any but its neighbour's; so two
    classes give a bit a picture, however many regions there are.

    Args:
        confusion: (N, M) pixels; rows are truth. Classes count as far as they are of like size
            (the perplexity of their shares).
        pictures: Number of pictures.
        regions: Regions in all of them.
    """
    share = confusion.sum(1) / max(1, confusion.sum())
    share = share[share > 0]
    classes = float(np.exp(-(share * np.log(share)).sum()))
    further = max(0, regions - pictures)
    return pictures * float(np.log2(classes)) + further * float(np.log2(max(1.0, classes - 1)))
