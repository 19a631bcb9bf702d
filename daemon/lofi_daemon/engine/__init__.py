"""The other process: models and stages run there, the front only talks to it."""
