"""Agents that are meta-trained on the robot itself: what each algorithm remembers of a trial, and how it acts."""
