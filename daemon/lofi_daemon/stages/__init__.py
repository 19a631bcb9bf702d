"""What a request asks for, stage by stage: checked in the front (``resolve``), run in the worker (``executor``)."""
