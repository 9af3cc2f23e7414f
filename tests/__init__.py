"""The tests. The folders mirror those of the code: test_X.py tests X.py."""
