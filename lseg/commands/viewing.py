"""How `lseg evaluate` shows pictures to the network."""

from lseg.commands.model import inference_config
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.inference.multi_eval import MultiEvalConfig
from lseg.inference.views import InferenceConfig

PUBLISHED = MultiEvalConfig()


def view_rule(options: EvaluateOptions) -> InferenceConfig | MultiEvalConfig:
    """By `--protocol`, with what other options change of it.

    Raises:
        ConfigError: If a value is out of range.
    """
    if options.protocol == "plain":
        return inference_config(options)
    return MultiEvalConfig(
        PUBLISHED.base_size if options.size is None else options.size,
        PUBLISHED.crop_size if options.window is None else options.window,
        PUBLISHED.scales if options.scales is None else tuple(options.scales),
        PUBLISHED.flip if options.flip is None else options.flip,
        options.window_batch,
    )
