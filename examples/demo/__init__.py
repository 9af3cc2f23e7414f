"""The demo: trains models in two ways and audits them over HTTP."""
