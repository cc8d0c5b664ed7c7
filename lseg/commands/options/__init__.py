"""The options of each command, as dataclasses that import nothing heavy.

The command line (`lseg.commands.parser`), files of options and Python callers all use these types.
A new option is a new field with a line under "Attributes".
"""
