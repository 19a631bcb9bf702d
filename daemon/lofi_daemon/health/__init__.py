"""What works here, what does not, and what mends it: a room for each subject, asked by `lofi doctor` and `diagnose`.

Every room yields findings and raises nothing. It takes what it looks at from outside, so that tests can make up any
machine.
"""
