"""`lseg labels encode`: a table of words of one's own."""

from lseg.commands.options.labels import LabelsEncodeOptions
from lseg.commands.output import output_file
from lseg.commands.record import OptionsRecord
from lseg.config import TextConfig
from lseg.data.base.labels import parse_labels, refuse_repeated
from lseg.errors import LabelError, shown
from lseg.text.making import default_weights, encode_words
from lseg.text.table import write_table


def labels_encode(options: LabelsEncodeOptions) -> None:
    """Encodes the words, and writes them as a table.

    Raises:
        LabelError: If there is no word, or something is not one.
        ConfigError: If the text encoder cannot be had.
    """
    words = [word for source in options.words for word in parse_labels(source)]
    refuse_repeated(words, "the words given")
    for word in words:
        if "|" in word:
            raise LabelError(f"{shown(word)} is no word: give its synonyms one by one")
    out = output_file(options.out)
    record = OptionsRecord.beside(out, "labels encode", options)
    pretrained = options.pretrained or default_weights(options.clip_model)
    config = TextConfig(options.clip_model, pretrained, templates=tuple(options.template))
    vectors, metadata = encode_words(words, config)
    write_table(out, vectors, metadata)
    record.write()
    print(f"{len(vectors)} word(s) of {options.clip_model} in {out}")
