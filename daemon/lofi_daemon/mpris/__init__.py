"""Media keys and playerctl on Linux, through MPRIS 2.2 (specifications.freedesktop.org/mpris-spec) on D-Bus."""
