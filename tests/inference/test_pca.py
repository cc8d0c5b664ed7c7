import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lseg.errors import ConfigError
from lseg.inference.pca import PCA, Moments


@pytest.fixture
def samples():
    """(500, 12) with variances far apart, and a mean."""
    return torch.randn(500, 12) * torch.logspace(0, -2, 12) @ torch.randn(12, 12) + 1


def learn(samples, count, pieces=1):
    moments = Moments(samples.shape[1])
    for piece in samples.chunk(pieces):
        moments.add(piece)
    return moments.basis(count)


def test_components_are_those_of_a_singular_value_decomposition(samples):
    pca = learn(samples, 4)
    centred = samples.double().numpy() - samples.double().numpy().mean(0)
    _, values, vectors = np.linalg.svd(centred, full_matrices=False)
    cosines = np.abs((vectors[:4] * pca.components.numpy()).sum(1))
    np.testing.assert_allclose(cosines, 1, atol=1e-5)
    np.testing.assert_allclose(pca.variance, values[:4] ** 2 / 500, rtol=1e-3)
    np.testing.assert_allclose(pca.mean, samples.mean(0), atol=1e-5)
    wanted = (values[:4] ** 2).sum() / (values**2).sum()
    assert pca.explained == pytest.approx(wanted, rel=1e-3)


def test_pieces_and_order_do_not_matter(samples):
    one, many = learn(samples, 3), learn(samples.flip(0), 3, pieces=7)
    torch.testing.assert_close(one.components, many.components, atol=1e-4, rtol=0)


def test_reduced_maps_are_the_projections(samples):
    pca = learn(samples, 5)
    maps = samples[:60].T.reshape(1, 12, 6, 10)
    wanted = (samples[:60] - pca.mean) @ pca.components.T
    torch.testing.assert_close(pca.reduce(maps)[0].flatten(1).T, wanted, atol=1e-4, rtol=1e-4)


def test_dot_products_and_norms_of_all_components_are_exact(samples):
    pca = learn(samples, 12)
    maps, text = samples[:60].T.reshape(1, 12, 6, 10), F.normalize(torch.randn(3, 12), dim=-1)
    reduced, (weight, bias) = pca.reduce(maps), pca.kernels(text)
    dots = torch.einsum("nk,bkhw->bnhw", weight, reduced) + bias[:, None, None]
    torch.testing.assert_close(
        dots, torch.einsum("nc,bchw->bnhw", text, maps), atol=1e-4, rtol=1e-4
    )
    torch.testing.assert_close(
        pca.norms(reduced), maps.norm(dim=1, keepdim=True), atol=1e-4, rtol=1e-4
    )


def test_what_is_saved_is_loaded(samples, tmp_path):
    pca = learn(samples, 3)
    pca.save(tmp_path / "basis.safetensors")
    loaded = PCA.load(tmp_path / "basis.safetensors", 12)
    for name in ("components", "mean", "variance"):
        assert torch.equal(getattr(loaded, name), getattr(pca, name))
    assert loaded.explained == pca.explained
    with pytest.raises(ConfigError, match=r"12 channels.*16"):
        PCA.load(tmp_path / "basis.safetensors", 16)


def test_files_that_are_no_basis_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no PCA basis"):
        PCA.load(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(ConfigError, match="no PCA basis"):
        PCA.load(tmp_path / "text.safetensors")


@pytest.mark.parametrize("count", [0, 13])
def test_as_many_components_as_there_can_be(samples, count):
    with pytest.raises(ConfigError, match="12 channels"):
        learn(samples, count)
