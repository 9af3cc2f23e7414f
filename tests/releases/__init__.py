"""The previous release, stored unchanged, which the tests run on the database of this release."""
