"""The report's pages: HTML without remote links."""
