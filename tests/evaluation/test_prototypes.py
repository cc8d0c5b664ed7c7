import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lseg.errors import ConfigError
from lseg.evaluation.prototypes import cluster, label_vectors


@pytest.fixture
def text():
    return F.normalize(torch.randn(2, 6), dim=1)


@pytest.fixture
def support():
    """Two supports of 4 x 5 embeddings, and masks of twice that size with ignored pixels."""
    masks = torch.randint(0, 2, (2, 8, 10))
    masks[:, 3, 2:7] = 255
    return torch.randn(2, 6, 4, 5) * 3, masks


def naive_prototype(embeddings, masks, value):
    """Each embedding counts by how many of its 2 x 2 mask pixels have the value."""
    total = np.zeros(embeddings.shape[1])
    for s, c, r in np.ndindex(len(embeddings), 5, 4):
        vector = embeddings[s, :, r, c].double().numpy()
        inside = sum(
            int(masks[s, 2 * r + i, 2 * c + j] == value) for i in range(2) for j in range(2)
        )
        total += inside / 4 * vector / np.linalg.norm(vector)
    return total / np.linalg.norm(total)


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_vectors_equal_a_naive_masked_average(text, support, weight):
    vectors, labels = label_vectors(text, *support, weight, clusters=1)
    assert labels.tolist() == [0, 1]
    for row in (0, 1):
        blend = (1 - weight) * text[row].numpy() + weight * naive_prototype(*support, row)
        assert np.allclose(vectors[row].numpy(), blend / np.linalg.norm(blend), atol=1e-6)


def test_weight_nought_and_no_support_are_the_text_itself(text, support):
    none = (torch.empty(0, 6, 4, 5), torch.empty(0, 8, 10))
    for arguments in ((*support, 0.0), (*none, 0.7)):
        vectors, labels = label_vectors(text, *arguments)
        assert torch.equal(vectors, text)
        assert labels.tolist() == [0, 1]


def test_a_label_without_a_pixel_keeps_its_text_vector(text, support):
    embeddings, masks = support
    vectors, labels = label_vectors(text, embeddings, torch.zeros_like(masks), 0.5, clusters=2)
    assert labels.tolist() == [0, 0, 1]
    assert torch.allclose(vectors[2], text[1])
    assert not torch.allclose(vectors[0], text[0], atol=1e-2)
    vectors, _ = label_vectors(text, embeddings, torch.ones_like(masks), 0.5, clusters=2)
    assert torch.allclose(vectors[:2], text[[0, 0]])


def test_clusters_find_separate_directions_whatever_the_order():
    directions = torch.eye(6)[:3]
    points = F.normalize(directions.repeat_interleave(20, 0) + 0.05 * torch.randn(60, 6), dim=1)
    order = torch.randperm(60)
    found = cluster(points[order], torch.ones(60), 3)
    means = F.normalize(points.unflatten(0, (3, 20)).sum(1), dim=1)
    nearest = (found @ means.T).max(1)
    assert sorted(nearest.indices.tolist()) == [0, 1, 2]
    assert torch.allclose(nearest.values, torch.ones(3), atol=1e-5)


def test_large_maps_are_clustered_on_a_coarse_grid_with_the_same_mean(text):
    embeddings, masks = torch.randn(1, 6, 70, 66), torch.zeros(1, 70, 66)
    vectors, _ = label_vectors(text, embeddings, masks, 1.0, clusters=1)
    mean = F.normalize(embeddings, dim=1).mean((0, 2, 3))
    assert torch.allclose(vectors[0], F.normalize(mean, dim=0), atol=1e-5)


def test_fewer_points_than_clusters_repeat(text):
    vectors, _ = label_vectors(text, torch.randn(1, 6, 1, 1), torch.zeros(1, 1, 1), 1.0, clusters=4)
    assert torch.allclose(vectors[:4], vectors[0].expand(4, 6))


def test_numbers_out_of_range_are_refused(text, support):
    with pytest.raises(ConfigError, match=r"weight is 1\.5"):
        label_vectors(text, *support, 1.5)
    with pytest.raises(ConfigError, match="0 background prototypes"):
        label_vectors(text, *support, 0.5, clusters=0)
