"""Cells and their aggregates as tables, figures and one page."""
