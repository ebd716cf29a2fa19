"""Data: where bytes come from and how they are checked, and one module for each dataset."""
