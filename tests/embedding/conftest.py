from vit_network import make_model, model  # noqa: F401
