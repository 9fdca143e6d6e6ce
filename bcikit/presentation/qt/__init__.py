"""The Qt renderer: import it only where a window is wanted."""
