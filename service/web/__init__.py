"""The HTML pages: templates, the data that they show, stylesheets and a script. Knows no routes."""
