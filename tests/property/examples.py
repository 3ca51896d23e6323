"""How many examples a property gets that native tests and the long run try with many more."""

import hypothesis

# Encoders and decoders have proptests and fuzz targets of their own, and `test_long` compares a million
# `pytest --hypothesis-profile=long` tries ten times as many.
FEW = hypothesis.settings(max_examples=max(25, hypothesis.settings.default.max_examples * 2 // 5))
