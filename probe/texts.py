"""Texts, the characters that a model knows, and what it reads in place of the text as it stands."""

from activations.texts.corpus import Corpus as Corpus
from activations.texts.corpus import Document as Document
from activations.texts.reading_rule import ReadingRule as ReadingRule
from activations.texts.selection import Selection as Selection
from activations.texts.vocab import Vocabulary as Vocabulary
