"""Catchment: a composable customer data platform on your own lake, from the click to the campaign."""

__version__ = "0.1.0"
