"""Tests that run the stored code of the previous release on the database of this release."""
