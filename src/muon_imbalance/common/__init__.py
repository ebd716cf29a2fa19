"""What every room uses and what knows no room: errors, progress, seeds, schedules, import closures."""
