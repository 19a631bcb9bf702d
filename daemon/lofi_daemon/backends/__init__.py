"""What can make music. Each backend is a folder with ``info.py`` (front, torch-free) and its engine (worker)."""
