"""What is measured on models besides loss and accuracy."""
