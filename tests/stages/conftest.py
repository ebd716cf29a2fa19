"""Small stand-ins for the real data, those of the tests of data."""

from tests.data.conftest import _source_tree, fake_npm, idx_folder, make_source

__all__ = ["_source_tree", "fake_npm", "idx_folder", "make_source"]
