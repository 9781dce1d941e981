"""Readers of input tables: CSV with the standard library, Parquet with Polars, imported when met."""
