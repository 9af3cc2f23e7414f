"""The routes of the HTML pages, one module per page."""
