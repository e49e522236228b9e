"""Checks and chores of this repository; no part of the product."""
