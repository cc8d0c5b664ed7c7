from conv_network import model, picture, table  # noqa: F401
