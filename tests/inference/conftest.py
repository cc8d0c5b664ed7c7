from conv_network import model, picture, table, text  # noqa: F401
