"""The demo: two recipes of training, audited over HTTP."""
