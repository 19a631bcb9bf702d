"""The daemon behind lofi.nvim: composes, keeps and plays background music."""

__version__ = "0.1.0"
PROTOCOL_VERSION = 1
