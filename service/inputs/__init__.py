"""Recognises and lists models and image sets, without torch and without opening an image."""
