"""What the commands of `lseg` do, once their options are parsed."""
