"""The pages that people read: templates, what they show, their style and their one script. Knows no routes."""
