"""The commands of `autogen` and their options, by kind; the modules beside carry them out."""
