"""ACE-Step v1 and 1.5. So far their descriptions only: the engines come with a later version."""
